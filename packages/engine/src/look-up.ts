import { isRecord } from './compare-data.ts';
import { EvaluationFault } from './expression-cost.ts';
import { shorten } from './problem-list.ts';

/**
 * Looks a key up in data: own keys of records and positions of lists, nothing else. There is no way from here to a
 * prototype. The key is named in the error only when the source says it: a computed one may be data.
 */
export function lookUp(holder: unknown, key: unknown, literalKey: string | undefined): unknown {
  if (Array.isArray(holder)) {
    const position = typeof key === 'bigint' ? Number(key) : key;
    if (typeof position !== 'number') throw new EvaluationFault('a list has positions, not keys');
    const item: unknown = Number.isInteger(position) && position >= 0 ? holder[position] : undefined;
    if (item === undefined) throw new EvaluationFault('the list has no such position');
    return shielded(item);
  }
  if (holder instanceof Map && holder.has(key)) return shielded(holder.get(key));
  if (isRecord(holder) && (typeof key === 'string' || typeof key === 'bigint' || typeof key === 'number')) {
    const name = String(key);
    if (Object.hasOwn(holder, name) && holder[name] !== undefined) return shielded(holder[name]);
  }
  throw missing(literalKey);
}

/** A value that must be there. */
export function present(value: unknown, key: string): unknown {
  if (value === undefined) throw missing(key);
  return value;
}

/**
 * The library tells types of values by their `constructor`, which data may have as a key of its own. Such a record goes
 * in as a Map, which the library takes as well.
 */
export function shielded(value: unknown): unknown {
  return isRecord(value) && Object.hasOwn(value, 'constructor') ? new Map(Object.entries(value)) : value;
}

function missing(key: string | undefined): EvaluationFault {
  const name = key === undefined ? 'of the computed name' : JSON.stringify(shorten(key));
  return new EvaluationFault(`there is no key ${name}`);
}
