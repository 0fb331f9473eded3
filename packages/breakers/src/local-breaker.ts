import CircuitBreaker from 'opossum';
import type { BreakerSettings } from './breaker-settings.ts';

/** opossum opens above a threshold, not at it. */
const JUST_BELOW_PERCENT = 1e-6;
const WINDOW_PARTS = 12;

export type LocalState = 'closed' | 'open' | 'half-open';

/** What opossum is fired with: the result of a call that has ended and counts. */
class CountedFailure extends Error {
  override readonly name = 'CountedFailure';
}

/**
 * One process' view of a dependency: an opossum breaker that hears only of results that count, once a call has ended.
 * So opossum has no call of its own that could hang, time out or be aborted with others: it keeps the window, the
 * threshold and the time until half-open. A result belongs to the epoch in which its call began; each change of state is
 * a new epoch, and what comes later from an earlier one does not count.
 */
export class LocalBreaker {
  readonly #settings: BreakerSettings;
  #circuit: CircuitBreaker<[boolean], void>;
  #epoch = 0;
  /** Monotonic. */
  #openedAt = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
    this.#circuit = this.#createCircuit();
  }

  get epoch(): number {
    return this.#epoch;
  }

  get state(): LocalState {
    if (this.#circuit.halfOpen) return 'half-open';
    return this.#circuit.opened ? 'open' : 'closed';
  }

  /** While open: how long until a call may test the way back, should this process have to decide alone. */
  get halfOpenInMs(): number {
    return Math.max(0, this.#openedAt + this.#settings.probeIntervalMs - performance.now());
  }

  /** What the window holds, for people. */
  get summary(): string {
    const { failures, fires } = this.#circuit.stats;
    return `${failures} of ${fires} calls failed within ${Math.round(this.#settings.windowMs / 1000)} s`;
  }

  /** Counts a call that began in `epoch`; false when that is over. A failure may open the breaker, at once. */
  record(succeeded: boolean, epoch: number): boolean {
    if (epoch !== this.#epoch) return false;
    // The rejection is the result that was handed in: it has been counted.
    this.#circuit.fire(succeeded).catch((error: unknown) => {
      if (!(error instanceof CountedFailure)) throw error;
    });
    return true;
  }

  /** The fleet has opened it. */
  open(): void {
    this.#renew();
    this.#circuit.open();
  }

  /** The fleet has closed it, or knows nothing of it: with an empty window. */
  reset(): void {
    this.#renew();
  }

  shutdown(): void {
    this.#circuit.shutdown();
  }

  #renew(): void {
    this.#circuit.shutdown();
    this.#circuit = this.#createCircuit();
    this.#epoch += 1;
  }

  #createCircuit(): CircuitBreaker<[boolean], void> {
    const { windowMs, minimumCalls, errorRate, probeIntervalMs } = this.#settings;
    // A failure is thrown and not rejected: opossum then counts it before `fire` returns.
    const count = (succeeded: boolean): Promise<void> => {
      if (!succeeded) throw new CountedFailure('the call failed');
      return Promise.resolve();
    };
    const circuit = new CircuitBreaker(count, {
      // There is no call inside: the one that is counted had its own deadline.
      timeout: false,
      resetTimeout: probeIntervalMs,
      rollingCountTimeout: windowMs,
      rollingCountBuckets: WINDOW_PARTS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      volumeThreshold: minimumCalls,
      errorThresholdPercentage: Math.max(0, errorRate * 100 - JUST_BELOW_PERCENT),
    });
    circuit.on('open', () => {
      this.#epoch += 1;
      this.#openedAt = performance.now();
    });
    circuit.on('halfOpen', () => {
      this.#epoch += 1;
    });
    // A success closed it: what the window still holds of the time before must not open it again.
    circuit.on('close', () => this.#renew());
    return circuit;
  }
}
