import type { Json } from '@flotilla/contracts';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { EvaluationFault } from './expression-cost.ts';
import type { ResultAllowance } from './result-allowance.ts';

/** As deep as JSON from outside may be. */
const MAX_RESULT_DEPTH = 64;

/**
 * What an expression gave, as JSON: integers become numbers when they are safe, bytes become base64, timestamps and
 * durations their text (as CEL's own JSON mapping has it). What the result names twice is written twice, and counts so.
 * Error: `EvaluationFault` for what JSON cannot hold, and for more than is allowed.
 */
export function expressionResultToJson(value: unknown, allowance: ResultAllowance, depth = 0): Json {
  switch (typeof value) {
    case 'string':
      allowance.charge(value.length + 3);
      return value;
    case 'boolean':
      allowance.charge(5);
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw new EvaluationFault('the result is not a finite number');
      allowance.charge(5);
      return value;
    case 'bigint':
      allowance.charge(5);
      return safeNumber(value);
    case 'object':
      if (value !== null) return objectToJson(value, allowance, depth);
      allowance.charge(5);
      return null;
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

function objectToJson(value: object, allowance: ResultAllowance, depth: number): Json {
  if (depth >= MAX_RESULT_DEPTH) throw new EvaluationFault(`the result is nested deeper than ${MAX_RESULT_DEPTH}`);
  allowance.charge(3);
  if (Array.isArray(value)) return value.map((item: unknown) => expressionResultToJson(item, allowance, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return recordToJson(Object.entries(value), allowance, depth);
  }
  if (value instanceof Map) return recordToJson(value.entries(), allowance, depth);
  if (value instanceof UnsignedInt) return safeNumber(value.valueOf());
  if (value instanceof Duration) return value.toString();
  if (value instanceof Uint8Array) return base64Of(value, allowance);
  // A timestamp. Asked by its method, so that nothing here names the clock's class.
  if ('toISOString' in value && typeof value.toISOString === 'function') return String(value.toISOString());
  throw new EvaluationFault('the result has no JSON form');
}

function base64Of(bytes: Uint8Array, allowance: ResultAllowance): string {
  allowance.charge(Math.ceil(bytes.length / 3) * 4);
  return Buffer.from(bytes).toString('base64');
}

function recordToJson(entries: Iterable<[string, unknown]>, allowance: ResultAllowance, depth: number): Json {
  const record: { [key: string]: Json } = {};
  for (const [key, part] of entries) {
    if (key === '__proto__') throw new EvaluationFault('the result has a key that is never accepted');
    allowance.charge(key.length + 3);
    record[key] = expressionResultToJson(part, allowance, depth + 1);
  }
  return record;
}
