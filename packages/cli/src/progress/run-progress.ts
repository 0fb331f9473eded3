import { type HistoryEvent, isSettledStepStatus, type StepStatus } from '@flotilla/contracts';

/** A step or map item that is being attempted now. */
export interface RunningStep {
  stepId: string;
  attempt: number;
  /** Redis' clock. */
  startedAt: number;
  worker: string | undefined;
}

export interface SettledStep {
  stepId: string;
  status: StepStatus;
  /** From the first start of an attempt; undefined for steps without one. */
  tookMs: number | undefined;
  reason: string | undefined;
}

const STATUS_OF_EVENT: Readonly<Record<string, StepStatus>> = {
  'step-succeeded': 'succeeded',
  'step-failed': 'failed',
  'step-skipped': 'skipped',
  'step-cancelled': 'cancelled',
  'step-quarantined': 'quarantined',
};

/** What the history of a run says about where it is: fed event by event, in order. Items of a map are counted apart. */
export class RunProgress {
  /** Undefined while nobody has said. */
  readonly totalSteps: number | undefined;
  readonly running = new Map<string, RunningStep>();
  readonly counts = { succeeded: 0, failed: 0, skipped: 0, cancelled: 0, quarantined: 0 };
  /** Attempts that were made again because the first ones failed, timed out or were lost. */
  retries = 0;
  /** How many items of each map that goes on have settled. */
  readonly items = new Map<string, number>();
  startedAt: number | undefined;
  lastEventAt: number | undefined;
  readonly #firstStart = new Map<string, number>();

  constructor(totalSteps: number | undefined) {
    this.totalSteps = totalSteps;
  }

  get settled(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  /** Returns the step when this event settled one. */
  apply(event: HistoryEvent): SettledStep | undefined {
    this.startedAt ??= event.at;
    this.lastEventAt = event.at;
    const { stepId, type } = event;
    if (stepId === undefined) return undefined;
    if (type === 'attempt-started') this.#start(stepId, event);
    else if (type.startsWith('attempt-')) this.running.delete(stepId);
    const status = STATUS_OF_EVENT[type];
    if (status === undefined) return undefined;
    this.running.delete(stepId);
    // `notify[3]` is an item of `notify`, which settles itself when its items have.
    if (stepId.endsWith(']')) {
      const map = stepId.slice(0, stepId.lastIndexOf('['));
      this.items.set(map, (this.items.get(map) ?? 0) + 1);
      return undefined;
    }
    this.items.delete(stepId);
    if (isSettledStepStatus(status)) this.counts[status] += 1;
    const startedAt = this.#firstStart.get(stepId);
    this.#firstStart.delete(stepId);
    const reason = event.data?.['reason'] ?? event.data?.['message'];
    return {
      stepId,
      status,
      tookMs: startedAt === undefined ? undefined : event.at - startedAt,
      reason: typeof reason === 'string' ? reason : undefined,
    };
  }

  #start(stepId: string, { at, attempt = 1, worker }: HistoryEvent): void {
    if (this.#firstStart.has(stepId)) this.retries += 1;
    else this.#firstStart.set(stepId, at);
    this.running.set(stepId, { stepId, attempt, startedAt: at, worker });
  }
}
