import { type Breakers, breakerReason, type CallOutcome, type CallPass } from '@flotilla/breakers';
import { type Classification, outcomeOfFailedCall } from '@flotilla/engine';
import type { AttemptAddress } from '@flotilla/state';

/** What attempts need of the fleet's breakers. */
export type BreakerGate = Pick<Breakers, 'admit' | 'parkMsIfOpen' | 'parkMsOfFailure' | 'noteFirstTry' | 'spendRetry'>;

/** Whose call it is. */
type Caller = Pick<AttemptAddress, 'attemptId' | 'runId' | 'key'>;

/** One call of a step behind the breaker of its dependency. */
export class GuardedCall {
  readonly name: string;
  readonly #gate: BreakerGate;
  #pass: CallPass | undefined;

  constructor(gate: BreakerGate, name: string) {
    this.#gate = gate;
    this.name = name;
  }

  /** What a parked step shows. */
  get reason(): string {
    return breakerReason(this.name);
  }

  /** Undefined when the call may be made; else for how long the step is to be parked. */
  async enter({ attemptId, runId, key }: Caller, isFirstTry: boolean): Promise<number | undefined> {
    const admission = await this.#gate.admit(this.name, attemptId, `${runId}/${key}`);
    if ('parkMs' in admission) return admission.parkMs;
    this.#pass = admission.pass;
    if (isFirstTry) this.#gate.noteFirstTry(this.name);
    return undefined;
  }

  /** Tells once what became of the call. */
  async settle(outcome: CallOutcome): Promise<'blamed' | undefined> {
    const pass = this.#pass;
    this.#pass = undefined;
    return pass?.settle(outcome);
  }

  /**
   * The call has failed. Answers for how long the step is to be parked: when it failed for the dependency's sake and the
   * breaker is open now, another attempt would not have been made, so this one is not charged. It is charged where the
   * dependency answers others: what is wrong is this call, and it must not be made for ever.
   */
  async settleFailure(classification: Classification): Promise<number | undefined> {
    const outcome = outcomeOfFailedCall(classification);
    const verdict = await this.settle(outcome);
    return outcome === 'failure' && verdict !== 'blamed' ? this.#gate.parkMsOfFailure(this.name) : undefined;
  }

  /** How long a retry has to wait for its place in the fleet's budget. */
  budgetDelayMs(): Promise<number> {
    return this.#gate.spendRetry(this.name);
  }
}
