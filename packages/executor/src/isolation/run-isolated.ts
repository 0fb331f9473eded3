import type { ClaimedAttempt } from '@flotilla/state';
import type { AttemptControl } from '../attempt-control.ts';

/** A claimed attempt, as the process that is to make it must be told. Plain data. */
export interface IsolatedAssignment {
  runId: string;
  definitionHash: string;
  key: string;
  attemptId: string;
  claimed: ClaimedAttempt;
}

/**
 * How an attempt went that had a process to itself. `ended`: it was committed, failed or handed back there. `died`: the
 * process ended before that; `alone` when no other attempt had been made in it. `busy`: there is no process for it now.
 * `impossible`: none can be had.
 */
export type IsolatedOutcome =
  | { how: 'ended' | 'busy' | 'impossible' }
  | { how: 'died'; message: string; alone: boolean };

/** Makes attempts in processes of their own, one attempt at a time in each. Never rejects. */
export type RunIsolated = (attempt: IsolatedAssignment, control: AttemptControl) => Promise<IsolatedOutcome>;
