/** An attempt that was lost: with which worker, and whether it had a process to itself. */
export interface LostAttempt {
  worker: string;
  alone: boolean;
}

/** A step that was lost this often beside others is suspected: from then on its attempts have a process to themselves. */
const SUSPECTED_AFTER = 2;
/** So many processes that it had to itself must a step have ended. */
const ALONE_TO_CONVICT = 2;
/** And so many workers must have been struck: one alone may be what is broken. */
const WORKERS_TO_CONVICT = 2;

/**
 * A step that was lost this often and cannot have a process to itself is taken for what ends its workers: there is no other way
 * to find out. One that can is never convicted by losses beside others, however many.
 */
const MAX_UNJUDGED_LOSSES = 10;

/** Whether a step that was lost `crashes` times, and cannot be made alone, is not made again. */
export function isTooRiskyBesideOthers(crashes: number): boolean {
  return crashes > MAX_UNJUDGED_LOSSES;
}

/** Whether the next attempt of a step that was lost `crashes` times must have a process to itself. */
export function mustBeAlone(crashes: number): boolean {
  return crashes >= SUSPECTED_AFTER;
}

/**
 * Whether a step is what ended its processes. A worker's death accuses every step that it held, so it convicts none: only
 * a process that a step had to itself, and that ended while its worker lived, is evidence against it.
 */
export function isPoison(losses: readonly LostAttempt[]): boolean {
  const workers = new Set(losses.map(({ worker }) => worker));
  return losses.filter(({ alone }) => alone).length >= ALONE_TO_CONVICT && workers.size >= WORKERS_TO_CONVICT;
}
