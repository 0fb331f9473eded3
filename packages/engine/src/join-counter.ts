/**
 * The counter of a group of steps in its run: how many edges have not been counted down, and how many of those that
 * were came from a success or a failure. One integer, `pending + succeeded * 2^17 + failed * 2^34`, so that settling a
 * step is one addition per group. Each part stays below 2^17 (a step has at most 20,000 needs), the whole below 2^53.
 */
export interface JoinCounter {
  pending: number;
  succeeded: number;
  failed: number;
}

export const SUCCEEDED_UNIT = 2 ** 17;
export const FAILED_UNIT = 2 ** 34;

/** One edge that counts as neither: a plainly skipped need, or a branch that did not choose the step. */
export const DELTA_SETTLED = -1;
export const DELTA_SUCCEEDED = SUCCEEDED_UNIT - 1;
export const DELTA_FAILED = FAILED_UNIT - 1;

/** Error: `RangeError` when a part is negative, fractional or too large. */
export function encodeJoinCounter({ pending, succeeded, failed }: JoinCounter): number {
  for (const part of [pending, succeeded, failed]) {
    if (!Number.isInteger(part) || part < 0 || part >= SUCCEEDED_UNIT) {
      throw new RangeError(`a part of a join counter is ${part}`);
    }
  }
  return pending + succeeded * SUCCEEDED_UNIT + failed * FAILED_UNIT;
}

/** Error: `RangeError` when the number is not a counter. */
export function decodeJoinCounter(counter: number): JoinCounter {
  if (!Number.isSafeInteger(counter) || counter < 0) throw new RangeError(`${counter} is not a join counter`);
  const failed = Math.floor(counter / FAILED_UNIT);
  const succeeded = Math.floor((counter - failed * FAILED_UNIT) / SUCCEEDED_UNIT);
  return { pending: counter % SUCCEEDED_UNIT, succeeded, failed };
}
