import { type ClassifyRule, FlotillaError, type Problem } from '@flotilla/contracts';
import { findExport } from './module-exports.ts';

/** The named export of a handler module that holds its rules. */
export const RULES_EXPORT = 'classifyRules';

/**
 * The rules that a module exports as `classifyRules`: a list of functions that are asked about every error that a handler
 * of the worker throws, in order, before anything else is.
 * @throws FlotillaError `CONFIG_INVALID` (`NOT_A_RULE`) when the export is something else.
 */
export function classifyRulesOf(module: unknown): ClassifyRule[] {
  if (!exportsRules(module)) return [];
  const rules = findExport(module, RULES_EXPORT)?.value;
  if (Array.isArray(rules) && rules.every((rule) => typeof rule === 'function')) return [...(rules as ClassifyRule[])];
  const message = `${RULES_EXPORT} must be a list of functions`;
  const problems: Problem[] = [{ code: 'NOT_A_RULE', path: `/${RULES_EXPORT}`, message }];
  throw new FlotillaError('CONFIG_INVALID', message, { problems });
}

/** True when a module registers rules: it then needs no handler. */
export function exportsRules(module: unknown): module is object {
  return typeof module === 'object' && module !== null && findExport(module, RULES_EXPORT) !== undefined;
}
