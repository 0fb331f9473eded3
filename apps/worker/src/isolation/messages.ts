import type { AbortCause, IsolatedAssignment } from '@flotilla/executor';

/** What a worker tells a process that makes one attempt. */
export type ToProcess =
  | { what: 'make'; workerId: string; attempt: IsolatedAssignment }
  | { what: 'abort'; cause: AbortCause };

/**
 * What the process tells the worker. `ready`: it has loaded everything. `began`: from here on its end is the step's doing.
 * `ended`: the attempt is over. `refused`: it has not been made.
 */
export type FromProcess = 'ready' | 'began' | 'ended' | 'refused';
