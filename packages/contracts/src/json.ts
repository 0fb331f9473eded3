import { FORBIDDEN_NAMES } from './ids.ts';
import { runToEnd } from './run-to-end.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Bounds for JSON from outside and for what handlers return. Depth counts arrays and objects; bytes are UTF-8. */
export interface JsonLimits {
  maxDepth: number;
  maxBytes: number;
  maxKeys: number;
}

export const DEFAULT_JSON_LIMITS: JsonLimits = { maxDepth: 64, maxBytes: 262_144, maxKeys: 100_000 };

export interface JsonProblem {
  code: 'JSON_TOO_DEEP' | 'JSON_FORBIDDEN_KEY' | 'PAYLOAD_TOO_LARGE' | 'NOT_JSON';
  path: string;
  message: string;
}

/** One reference token of a JSON pointer (RFC 6901). */
export function pointerToken(key: string | number): string {
  if (typeof key === 'number') return String(key);
  // Most keys have neither; a document of a million values asks for each of them.
  return key.includes('~') || key.includes('/') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
}

interface Visit {
  value: unknown;
  path: string;
  depth: number;
  /** Set on the way out, so that only true cycles are refused and shared values are not. */
  leave?: object;
}

/**
 * Checks that a value is JSON within limits *before* anything serializes it: iterative, stops at the first problem that
 * makes going on pointless (size), and sees what `JSON.stringify` would hide (undefined in lists, NaN, toJSON, cycles,
 * BigInt). Properties that are undefined are not there, as in `JSON.stringify`: what serializes the value leaves them out.
 */
export function findJsonProblem(value: unknown, limits: JsonLimits = DEFAULT_JSON_LIMITS): JsonProblem | undefined {
  return runToEnd(findJsonProblemInPieces(value, limits));
}

/** Values that are looked at in one piece: some milliseconds. */
const VISITS_A_PIECE = 10_000;

/** The same, with pauses in which others may do something. */
export function* findJsonProblemInPieces(
  value: unknown,
  limits: JsonLimits = DEFAULT_JSON_LIMITS,
): Generator<void, JsonProblem | undefined> {
  const stack: Visit[] = [{ value, path: '', depth: 0 }];
  let visits = 0;
  const open = new Set<object>();
  let bytes = 0;
  let keys = 0;
  while (stack.length > 0) {
    const visit = stack.pop()!;
    visits += 1;
    if (visits % VISITS_A_PIECE === 0) yield;
    if (visit.leave !== undefined) {
      open.delete(visit.leave);
      continue;
    }
    const { value: current, path, depth } = visit;
    if (current === null || typeof current === 'boolean') {
      bytes += 4;
    } else if (typeof current === 'number') {
      if (!Number.isFinite(current)) return { code: 'NOT_JSON', path, message: `${current} is not JSON` };
      bytes += 8;
    } else if (typeof current === 'string') {
      if (!current.isWellFormed()) return { code: 'NOT_JSON', path, message: 'the text has a lone surrogate' };
      bytes += Buffer.byteLength(current) + 2;
    } else if (typeof current === 'object') {
      const problem = enter(current, path, depth, limits, open, stack);
      if (problem !== undefined) return problem;
      keys += Array.isArray(current) ? current.length : Object.keys(current).length;
      bytes += 2 + (Array.isArray(current) ? current.length : 0);
    } else {
      return { code: 'NOT_JSON', path, message: `a value of type ${typeof current} is not JSON` };
    }
    if (bytes > limits.maxBytes) {
      return { code: 'PAYLOAD_TOO_LARGE', path: '', message: `larger than ${limits.maxBytes} bytes` };
    }
    if (keys > limits.maxKeys) {
      return { code: 'PAYLOAD_TOO_LARGE', path: '', message: `more than ${limits.maxKeys} keys and items` };
    }
  }
  return undefined;
}

function enter(
  current: object,
  path: string,
  depth: number,
  limits: JsonLimits,
  open: Set<object>,
  stack: Visit[],
): JsonProblem | undefined {
  if (depth >= limits.maxDepth) {
    return { code: 'JSON_TOO_DEEP', path: path.slice(0, 200), message: `nested deeper than ${limits.maxDepth} levels` };
  }
  if (open.has(current)) return { code: 'NOT_JSON', path, message: 'the value contains itself' };
  const prototype = Object.getPrototypeOf(current) as unknown;
  if (!Array.isArray(current) && prototype !== Object.prototype && prototype !== null) {
    return { code: 'NOT_JSON', path, message: `a ${current.constructor?.name ?? 'class instance'} is not plain JSON` };
  }
  if (convertsItself(current))
    return { code: 'NOT_JSON', path, message: 'a value with a toJSON of its own is not plain JSON' };
  open.add(current);
  stack.push({ value: undefined, path, depth, leave: current });
  if (Array.isArray(current)) {
    if (current.length > limits.maxKeys) {
      return { code: 'PAYLOAD_TOO_LARGE', path, message: `more than ${limits.maxKeys} keys and items` };
    }
    for (let index = current.length - 1; index >= 0; index -= 1) {
      stack.push({ value: current[index], path: `${path}/${index}`, depth: depth + 1 });
    }
    return undefined;
  }
  for (const key of Object.keys(current)) {
    const at = `${path}/${pointerToken(key)}`;
    if (FORBIDDEN_NAMES.has(key) && key.startsWith('__')) {
      return { code: 'JSON_FORBIDDEN_KEY', path: at, message: `the key ${key} is not accepted` };
    }
    if (!key.isWellFormed()) return { code: 'NOT_JSON', path, message: 'a key has a lone surrogate' };
    const descriptor = Object.getOwnPropertyDescriptor(current, key);
    if (descriptor?.get !== undefined) return { code: 'NOT_JSON', path: at, message: 'a getter is not JSON' };
    if (descriptor?.value === undefined) continue;
    stack.push({ value: descriptor.value, path: at, depth: depth + 1 });
  }
  return undefined;
}

/** What serializes it would call `toJSON`, enumerable or not, and write what that gives instead of what was checked. */
function convertsItself(current: object): boolean {
  if (!('toJSON' in current)) return false;
  const own = Object.getOwnPropertyDescriptor(current, 'toJSON');
  return own === undefined || own.get !== undefined || typeof own.value === 'function';
}
