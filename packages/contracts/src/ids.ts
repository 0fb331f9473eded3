import { z } from 'zod';

/** What every id, step id, tag, queue, handler and capability looks like: 1 to 128 characters, no separators of our keys. */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Names that are legal by pattern but reach into prototypes in careless readers; refused everywhere. */
export const FORBIDDEN_NAMES: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'valueOf',
]);

export function isLegalId(value: unknown): value is string {
  return typeof value === 'string' && ID_PATTERN.test(value) && !FORBIDDEN_NAMES.has(value);
}

/** A registered workflow as people write it: `order` is the latest version, `order@1.0.0` that one. */
export function parseWorkflowReference(reference: string): { name: string; version?: string } {
  const at = reference.indexOf('@');
  return at < 0 ? { name: reference } : { name: reference.slice(0, at), version: reference.slice(at + 1) };
}

/** A legal id. Error: `expected an id …`, one issue whatever is wrong. */
export const idZ = z.string().refine(isLegalId, {
  error: 'expected an id: 1 to 128 of A-Z a-z 0-9 . _ - that begins with a letter or digit',
});
