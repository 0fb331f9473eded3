import { type Breakers, breakerReason, type CallOutcome, type CallPass } from '@flotilla/breakers';
import { type Classification, outcomeOfFailedCall } from '@flotilla/engine';

/** What attempts need of the fleet's breakers. */
export type BreakerGate = Pick<Breakers, 'admit' | 'parkMsIfOpen' | 'parkMsOfFailure' | 'noteFirstTry' | 'spendRetry'>;

/** One call of a step behind the breaker of its dependency. */
export class BehindBreaker {
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
  async enter(attemptId: string, isFirstTry: boolean): Promise<number | undefined> {
    const admission = await this.#gate.admit(this.name, attemptId);
    if ('parkMs' in admission) return admission.parkMs;
    this.#pass = admission.pass;
    if (isFirstTry) this.#gate.noteFirstTry(this.name);
    return undefined;
  }

  /** Tells once what became of the call. */
  async settle(outcome: CallOutcome): Promise<void> {
    const pass = this.#pass;
    this.#pass = undefined;
    await pass?.settle(outcome);
  }

  /**
   * The call has failed. Answers for how long the step is to be parked: when it failed for the dependency's sake and the
   * breaker is open now, another attempt would not have been made, so this one is not charged.
   */
  async settleFailure(classification: Classification): Promise<number | undefined> {
    const outcome = outcomeOfFailedCall(classification);
    await this.settle(outcome);
    return outcome === 'failure' ? this.#gate.parkMsOfFailure(this.name) : undefined;
  }

  /** How long a retry has to wait for its place in the fleet's budget. */
  budgetDelayMs(): Promise<number> {
    return this.#gate.spendRetry(this.name);
  }
}
