import { FlotillaError, type Json, type StepError } from '@flotilla/contracts';
import { type AttemptEnd, canonicalJson, isTooRiskyBesideOthers } from '@flotilla/engine';
import type { AttemptAddress, CleanupEnd } from '@flotilla/state';
import { LOG_EVENTS } from '@flotilla/telemetry';
import { Attempt, type SettledAttempt } from '../attempt/attempt.ts';
import { AttemptControl } from '../attempt-control.ts';
import type { AttemptRuntime } from '../attempt-runtime.ts';
import { retryUntilAnswered } from '../retry-until-answered.ts';
import { CleanupContext } from './cleanup-context.ts';
import { type CleanupToResolve, resolveCleanupInput } from './cleanup-input.ts';

export interface CleanupToMake extends CleanupToResolve {
  address: AttemptAddress;
  /** Which cleanup of the run, from 0. */
  number: number;
  /** Time limit of the attempt. */
  attemptMs: number;
}

/** What the transition that ends a cleanup is told. */
type Change = Pick<CleanupEnd, 'becomes' | 'dataJson' | 'retryInMs'>;

/** One attempt of a compensation or registered cleanup. */
export class CleanupAttempt extends Attempt<CleanupContext> {
  readonly #toMake: CleanupToMake;

  constructor(runtime: AttemptRuntime, toMake: CleanupToMake) {
    const { chain, assignment, address, cleanup, number, attemptMs } = toMake;
    const { claimed } = cleanup;
    const { definition } = chain.plan;
    const control = new AttemptControl({ attemptMs, heartbeatMs: undefined, totalLeftMs: undefined });
    const context = new CleanupContext(runtime.options, { definition, assignment, address, claimed, control }, number);
    super(runtime, { chain, assignment, address, claimed, control, context }, { isCleanup: true });
    this.#toMake = toMake;
  }

  protected override resolveInput(): Promise<Json> {
    const { crashes } = this.claimed;
    if (isTooRiskyBesideOthers(crashes)) {
      throw new FlotillaError('CRASH_LIMIT', `the cleanup was lost with its worker ${crashes} times`);
    }
    return retryUntilAnswered(() => resolveCleanupInput(this.runtime.options, this.#toMake));
  }

  protected override async release(reason: string): Promise<void> {
    await this.#apply({ becomes: 'released', dataJson: canonicalJson({ reason }) });
  }

  protected override async write({ end, failure }: SettledAttempt): Promise<undefined> {
    const error = failure?.error;
    const change = changeOf(end, error, this.breaker?.reason);
    const isEnded = await this.#apply(change);
    if (!isEnded) this.#noteRefusal();
    else if (error !== undefined) this.#logFailure(change, error);
  }

  #apply(change: Change): Promise<boolean> {
    const { address, assignment, runtime } = this;
    const end = { attempt: address, handler: assignment.work.use, ...change };
    return retryUntilAnswered(() => runtime.options.state.transitions.endCleanup(address, end));
  }

  #about() {
    return { runId: this.address.runId, stepId: this.assignment.stepId, cleanup: this.#toMake.number };
  }

  #noteRefusal(): void {
    this.noteRefusal();
    const about = { ...this.#about(), cause: this.control.cause };
    this.runtime.options.logger.warn(about, 'cleanup result refused: the attempt was superseded');
  }

  /** Not its message: what a handler says may hold what it was given. */
  #logFailure({ becomes }: Change, { type, code }: StepError): void {
    const about = { ...this.#about(), type, code };
    const { failures, options } = this.runtime;
    if (becomes === 'retried') {
      const event = LOG_EVENTS.attemptFailed;
      failures.write(`cleanup ${code}`, 'warn', { event, ...about }, 'an attempt of a cleanup failed');
    } else if (becomes === 'failed') {
      options.logger.error({ event: LOG_EVENTS.cleanupFailed, ...about }, 'a cleanup failed permanently');
    }
  }
}

function changeOf(end: AttemptEnd, error: StepError | undefined, reason = ''): Change {
  switch (end.end) {
    case 'commit':
      return { becomes: 'succeeded' };
    case 'release':
      return { becomes: 'released', dataJson: canonicalJson({ reason: end.reason }) };
    case 'park':
      return { becomes: 'parked', dataJson: canonicalJson({ reason }), retryInMs: Math.round(end.forMs) };
    case 'retry':
      return { becomes: 'retried', dataJson: canonicalJson(error ?? null), retryInMs: end.inMs };
    case 'fail':
      return { becomes: 'failed', dataJson: canonicalJson(error ?? null) };
  }
}
