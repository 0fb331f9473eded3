import type { KeptHealth, WorkMeter } from '@flotilla/agents';
import type { Executor } from '@flotilla/executor';
import type { Logger } from '@flotilla/telemetry';

export interface IntakeOptions {
  slots: Pick<Executor['slots'], 'limitTo'>;
  meter: WorkMeter;
  /** Attempts at once while on probation. */
  probationSlots: number;
  logger: Logger;
}

/** Failures in a row of which the schedulers should hear at once; a probation ends with fewer. */
const MIN_FAILURES_TO_REPORT = 3;
const PROBATION_FAILURES = 2;

/** How much work this worker takes, as its agent is judged. */
export class Intake {
  readonly #options: IntakeOptions;
  /** Failures since it went on probation; undefined when it is not. */
  #probationFailures: number | undefined;
  /** Called when the schedulers should hear of the work soon. */
  onHealthRelevantChange: () => void = () => undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
    options.meter.onFailure = (consecutive) => this.#onFailure(consecutive);
  }

  /** Takes a judgement (JSON, '' for none) that has changed. */
  onHealth(healthText: string): void {
    const { slots, meter, probationSlots, logger } = this.#options;
    const health = healthText === '' ? undefined : (JSON.parse(healthText) as KeptHealth);
    const { status = 'healthy', intake = 'all', reason } = health ?? {};
    // It is judged by what it does from now on.
    if (status === 'probation') meter.forgetDurations();
    this.#probationFailures = intake === 'few' ? 0 : undefined;
    slots.limitTo('health', intake === 'all' ? Number.POSITIVE_INFINITY : intake === 'few' ? probationSlots : 0);
    logger.info({ status, reason, intake }, 'agent health changed');
  }

  /** A broken agent fails quickly: on probation it would fail hundreds of attempts until it hears its judgement. */
  #onFailure(consecutive: number): void {
    if (this.#probationFailures === undefined) {
      if (consecutive >= MIN_FAILURES_TO_REPORT) this.onHealthRelevantChange();
      return;
    }
    this.#probationFailures += 1;
    if (this.#probationFailures < PROBATION_FAILURES) return;
    this.#options.slots.limitTo('health', 0);
    this.onHealthRelevantChange();
  }
}
