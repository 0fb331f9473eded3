import type { Task, TaskOutcome } from '@flotilla/queue';

const MAX_CODES = 5;

/** How the attempts that came with a task ended, for the dashboard of the queue. */
export class TaskOutcomes {
  readonly #outcomes = new WeakMap<Task, TaskOutcome>();

  /** The outcome of a task, which the ends of its attempts count into from now on. */
  begin(task: Task): TaskOutcome {
    const outcome: TaskOutcome = { succeeded: 0, failed: 0, codes: [] };
    this.#outcomes.set(task, outcome);
    return outcome;
  }

  noteSuccess(task: Task): void {
    const outcome = this.#outcomes.get(task);
    if (outcome !== undefined) outcome.succeeded += 1;
  }

  noteFailure(task: Task, code: string): void {
    const outcome = this.#outcomes.get(task);
    if (outcome === undefined) return;
    outcome.failed += 1;
    if (outcome.codes.length < MAX_CODES && !outcome.codes.includes(code)) outcome.codes.push(code);
  }
}
