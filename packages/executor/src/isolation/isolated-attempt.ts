import { type AttemptEnd, decideEnd, failureOfStep, isPoison } from '@flotilla/engine';
import type { AttemptAddress, Loss } from '@flotilla/state';
import { addressOf, type ClaimedStep } from '../attempt/step-attempt.ts';
import { AttemptControl } from '../attempt-control.ts';
import type { AttemptRuntime } from '../attempt-runtime.ts';
import { retryUntilAnswered } from '../retry-until-answered.ts';
import type { IsolatedOutcome, RunIsolated } from './run-isolated.ts';

/** A step that waits for a process of its own is looked at again after this long. */
const BUSY_MS = 2000;
const NO_LIMITS = { attemptMs: Number.POSITIVE_INFINITY, heartbeatMs: undefined, totalLeftMs: undefined };

/** How an attempt was lost that nobody can end any more. */
interface LostProcess {
  isPoison: boolean;
  /** It had the process to itself. */
  alone: boolean;
  message: string;
}

/** An attempt of a suspected step, whose stages are run in a process of its own; here it is watched and, if need be, ended. */
export class IsolatedAttempt {
  readonly #runtime: AttemptRuntime;
  readonly #step: ClaimedStep;
  readonly #address: AttemptAddress;

  constructor(runtime: AttemptRuntime, step: ClaimedStep) {
    this.#runtime = runtime;
    this.#step = step;
    this.#address = addressOf(step);
  }

  /**
   * Has the attempt made in a process of its own, and charges the step when that process ends by it. Answers whether the
   * attempt is over; if not, it has yet to be made.
   */
  async make(runIsolated: RunIsolated): Promise<boolean> {
    const { chain, assignment, attemptId, claimed } = this.#step;
    const { tag, runId, key } = this.#address;
    // The process that makes the attempt keeps its limits; here it is only aborted.
    const control = new AttemptControl(NO_LIMITS);
    const entry = { tag, runId, key, attemptId, stepId: assignment.stepId, control, task: chain.task };
    this.#runtime.live.open(entry);
    try {
      const toMake = { runId, definitionHash: chain.plan.hash, key, attemptId, claimed };
      const how = await runIsolated(toMake, control);
      if (how.how === 'impossible') return false;
      if (how.how === 'busy') await this.#write(await decideEnd({ happened: 'kept-out', forMs: BUSY_MS }));
      else if (how.how === 'died') await retryUntilAnswered(() => this.#charge(how));
      return true;
    } finally {
      this.#runtime.live.close(entry);
    }
  }

  /** A step that was lost too often and cannot be made alone is not made at all. */
  async quarantineUnjudged(): Promise<void> {
    const { claimed, assignment } = this.#step;
    const { crashes } = claimed;
    const message = `the step was lost with its worker ${crashes} times, and no process of its own can be had to find out why`;
    const about = { runId: this.#address.runId, stepId: assignment.stepId, crashes };
    this.#runtime.options.logger.error(about, 'a step was lost too many times');
    await this.#end({ isPoison: true, alone: false, message });
  }

  /** The step has ended the process that it had to itself: again in a moment, or never. */
  async #charge({ message: how, alone }: Extract<IsolatedOutcome, { how: 'died' }>): Promise<void> {
    const { state, workerId, logger } = this.#runtime.options;
    const losses: Loss[] = [...(await state.readLosses(this.#address)), { worker: workerId, alone }];
    const poison = isPoison(losses);
    const workers = [...new Set(losses.map(({ worker }) => worker))].join(', ');
    const message = poison
      ? `the step ends its process (${how}): lost ${losses.length} times, with the workers ${workers}`
      : `the process that the step had to itself ended (${how})`;
    const about = { runId: this.#address.runId, stepId: this.#step.assignment.stepId, how, quarantined: poison };
    logger.warn(about, 'a step ended its isolated process');
    await this.#end({ isPoison: poison, alone, message });
  }

  async #end(lost: LostProcess): Promise<void> {
    await this.#write(await decideEnd({ happened: 'lost', isPoison: lost.isPoison }), lost);
  }

  async #write(end: AttemptEnd, lost?: LostProcess): Promise<void> {
    const { transitions } = this.#runtime.options.state;
    if (end.end === 'park') {
      await retryUntilAnswered(() => transitions.parkAttempt(this.#address, 'own-process', end.forMs));
    } else if (lost !== undefined) {
      const { chain, assignment } = this.#step;
      const error = { type: 'crash', code: lost.isPoison ? 'CRASH_LIMIT' : 'WORKER_LOST', message: lost.message };
      const failure = {
        ...{ tag: this.#address.tag, runId: this.#address.runId, key: this.#address.key, attempt: this.#address },
        event: 'attempt-lost' as const,
        retryInMs: end.end === 'retry' ? end.inMs : undefined,
        ...{ quarantine: lost.isPoison, alone: lost.alone },
        ...failureOfStep(chain.plan, assignment, error),
      };
      await retryUntilAnswered(() => transitions.fail(failure));
    }
  }
}
