import type { Json } from '@flotilla/contracts';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { EvaluationFault } from './expression-cost.ts';

/** As deep as JSON from outside may be. */
const MAX_RESULT_DEPTH = 64;

/**
 * What an expression gave, as JSON: integers become numbers when they are safe, bytes become base64, timestamps and
 * durations their text (as CEL's own JSON mapping has it). Error: `EvaluationFault` for what JSON cannot hold.
 */
export function expressionResultToJson(value: unknown, depth = 0): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new EvaluationFault('the result is not a finite number');
      return value;
    case 'bigint':
      return safeNumber(value);
    case 'object':
      return value === null ? null : objectToJson(value, depth);
    default:
      throw new EvaluationFault('the result has no JSON form');
  }
}

function safeNumber(value: bigint): number {
  const asNumber = Number(value);
  if (!Number.isSafeInteger(asNumber)) {
    throw new EvaluationFault('the result is an integer beyond what JSON numbers hold exactly');
  }
  return asNumber;
}

function objectToJson(value: object, depth: number): Json {
  if (depth >= MAX_RESULT_DEPTH) throw new EvaluationFault(`the result is nested deeper than ${MAX_RESULT_DEPTH}`);
  if (Array.isArray(value)) return value.map((item: unknown) => expressionResultToJson(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return recordToJson(Object.entries(value), depth);
  if (value instanceof Map) return recordToJson(value.entries(), depth);
  if (value instanceof UnsignedInt) return safeNumber(value.valueOf());
  if (value instanceof Duration) return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  // A timestamp. Asked by its method, so that nothing here names the clock's class.
  if ('toISOString' in value && typeof value.toISOString === 'function') return String(value.toISOString());
  throw new EvaluationFault('the result has no JSON form');
}

function recordToJson(entries: Iterable<[string, unknown]>, depth: number): Json {
  const record: { [key: string]: Json } = {};
  for (const [key, part] of entries) {
    if (key === '__proto__') throw new EvaluationFault('the result has a key that is never accepted');
    record[key] = expressionResultToJson(part, depth + 1);
  }
  return record;
}
