import type { Task } from '@flotilla/queue';
import type { ReportedProgress, State } from '@flotilla/state';
import type { AbortCause, AttemptControl } from './attempt-control.ts';

/** Entries of one task that are named in full. */
const MAX_DESCRIBED = 10;

export interface LiveAttempt {
  runId: string;
  stepId: string;
  key: string;
  attemptId: string;
  tag: string;
  control: AttemptControl;
  /** Of a compensation or registered cleanup: the end of the run does not abort it. */
  isCleanup?: true;
  /** The task that it came with, or whose chain it goes on. */
  task: Task;
}

/** The attempts that this worker is making, from when they open until they close, and the ways to abort them. */
export class LiveAttempts {
  readonly #state: Pick<State<never>, 'run'>;
  readonly #attempts = new Set<LiveAttempt>();
  #mustHandBack = false;

  constructor(state: Pick<State<never>, 'run'>) {
    this.#state = state;
  }

  /** The drain time is over: what is held goes back, what is still being claimed too. */
  get mustHandBack(): boolean {
    return this.#mustHandBack;
  }

  get size(): number {
    return this.#attempts.size;
  }

  /** Opens an attempt; one that comes when all are handed back is aborted at once. */
  open(attempt: LiveAttempt): void {
    this.#attempts.add(attempt);
    if (this.#mustHandBack) attempt.control.abort('drain');
  }

  close(attempt: LiveAttempt): void {
    attempt.control.stop();
    this.#attempts.delete(attempt);
  }

  handBack(): void {
    this.#mustHandBack = true;
    this.abortAll('drain');
  }

  /** Ids of the attempts whose handlers are under way. */
  ids(): Set<string> {
    return new Set(Array.from(this.#attempts, ({ attemptId }) => attemptId));
  }

  /** What attempts under way have given their heartbeats since this was last asked: the last of each. */
  takeProgress(): ReportedProgress[] {
    return [...this.#attempts].flatMap(({ attemptId, control }) => {
      const value = control.takeProgress();
      return value === undefined ? [] : [{ attemptId, value }];
    });
  }

  /** Up to ten `run/step` of a task that are running. */
  describe(task: Task): string[] {
    const steps: string[] = [];
    for (const attempt of this.#attempts) {
      if (attempt.task !== task) continue;
      steps.push(`${attempt.runId}/${attempt.stepId}`);
      if (steps.length === MAX_DESCRIBED) break;
    }
    return steps;
  }

  /** Aborts whatever is being made. */
  abortAll(cause: AbortCause): void {
    for (const { control } of this.#attempts) control.abort(cause);
  }

  /** Aborts the attempts of a run that is ending. */
  abortRun(runId: string): void {
    for (const attempt of this.#attempts) {
      if (attempt.runId === runId && !attempt.isCleanup) attempt.control.abort('cancelled');
    }
  }

  /** Aborts one attempt that the scheduler has ended, or (attemptId '') all items of a map: `key` is then `3.`. */
  abortAttempt(runId: string, key: string, attemptId: string): void {
    for (const attempt of this.#attempts) {
      if (attempt.runId !== runId) continue;
      const isItem = attempt.key.startsWith(key) && !attempt.isCleanup;
      const meant = attemptId === '' ? isItem : attempt.attemptId === attemptId;
      if (meant) attempt.control.abort('superseded');
    }
  }

  /** Asks state which runs of the attempts under way are ending, and aborts those: there were too many to be told. */
  async abortEnding(): Promise<void> {
    const runs = new Map(Array.from(this.#attempts, ({ tag, runId }) => [runId, tag]));
    await Promise.all(
      Array.from(runs, async ([runId, tag]) => {
        if (!(await this.#state.run(runId, tag).goesOn())) this.abortRun(runId);
      }),
    );
  }

  /** After a pause longer than the lease: asks state which attempts are still ours, and aborts the others. */
  async abortSuperseded(): Promise<void> {
    await Promise.all(
      Array.from(this.#attempts, async ({ tag, runId, key, attemptId, control }) => {
        if (!(await this.#state.run(runId, tag).isHeldBy(key, attemptId))) control.abort('superseded');
      }),
    );
  }
}
