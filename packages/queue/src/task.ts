import { createHash } from 'node:crypto';

/** One step in a task: run id, definition hash, step key. Ids only: payloads stay in state. */
export type TaskStep = readonly [runId: string, definitionHash: string, stepKey: string];

/** What BullMQ carries: a hint that these steps may be claimed. Losing or repeating one changes nothing. */
export interface Task {
  v: 1;
  i: TaskStep[];
}

/** How the attempts of a task, and of the chains that began with it, have ended: what the Bull dashboard shows of it. */
export interface TaskOutcome {
  succeeded: number;
  /** Attempts that failed, whether or not others follow. */
  failed: number;
  /** Codes of the failures, a few of them. Never their messages, which may hold what runs carry. */
  codes: string[];
}

/**
 * `t-<hash>` of what made the task, so that a relay that repeats itself after a crash mostly repeats the id. Never user
 * text: a jobId such as `active` destroys a BullMQ queue.
 */
export function taskId(...origin: readonly string[]): string {
  return `t-${createHash('sha256').update(origin.join('\n')).digest('hex').slice(0, 32)}`;
}
