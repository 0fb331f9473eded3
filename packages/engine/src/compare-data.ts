/** Whether something is a record of data: neither a list nor one of the library's own values. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Data that has parts. */
export function isContainer(value: unknown): value is unknown[] | Record<string, unknown> | Map<unknown, unknown> {
  return Array.isArray(value) || value instanceof Map || isRecord(value);
}

/**
 * Equality of CEL over data: integers and decimals by value, lists by position, records by key. As deep as JSON may be.
 */
export function sameData(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left === 'object' && left !== null && typeof right === 'object' && right !== null) {
    return sameObjects(left, right);
  }
  const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';
  // Loosely, because this is the comparison that takes an integer and a decimal by value.
  // biome-ignore lint/suspicious/noDoubleEquals: bigint and number compare by value only so
  return isNumber(left) && isNumber(right) && left == right;
}

function sameObjects(left: object, right: object): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => sameData(item, right[index]));
  }
  const [leftKeys, rightKeys] = [keysOf(left), keysOf(right)];
  if (leftKeys !== undefined && rightKeys !== undefined) {
    if (leftKeys.length !== rightKeys.length) return false;
    return leftKeys.every((key) => hasKey(right, key) && sameData(readKey(left, key), readKey(right, key)));
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  // Timestamps, durations and unsigned integers have a primitive form.
  return left.constructor === right.constructor && left.valueOf() === right.valueOf();
}

/** The keys of a record or of a record that went in as a Map. */
function keysOf(value: object): string[] | undefined {
  if (value instanceof Map) return [...value.keys()].map(String);
  return isRecord(value) ? Object.keys(value) : undefined;
}

/** Whether a record has a key. */
export function hasKey(holder: unknown, key: string): boolean {
  return holder instanceof Map ? holder.has(key) : isRecord(holder) && Object.hasOwn(holder, key);
}

function readKey(holder: object, key: string): unknown {
  return holder instanceof Map ? holder.get(key) : (holder as Record<string, unknown>)[key];
}
