import type { HistoryEvent, LedgerKind, LedgerPart } from '@flotilla/contracts';

/** What a step is doing, as far as its events say. */
interface StepActivity {
  kind: Extract<LedgerKind, 'running' | 'queued' | 'backing-off' | 'parked' | 'delay' | 'waiting' | 'overhead'>;
  subject?: string;
  /** Of one that backs off: when it is ready again. */
  until?: number;
}

/** The kind of a step that has become ready; undefined: it is not known. */
export type KindOfStep = (stepId: string) => string | undefined;

const KINDS_OF_READY: Readonly<Record<string, StepActivity['kind']>> = {
  task: 'queued',
  agent: 'queued',
  http: 'queued',
  map: 'queued',
  broadcast: 'queued',
  loop: 'queued',
  delay: 'delay',
};
/** Where several apply the first counts. */
const OF_STEPS = ['running', 'queued', 'backing-off', 'parked', 'waiting', 'delay'] as const;
const ENDS = new Set(['run-succeeded', 'run-failed', 'run-cancelled', 'run-timed-out']);
const STEP_ENDS = new Set(['step-succeeded', 'step-failed', 'step-skipped', 'step-cancelled', 'step-quarantined']);
const ATTEMPT_ENDS = new Set(['attempt-failed', 'attempt-timed-out', 'attempt-lost', 'attempt-cancelled']);

/** What a run's time was spent on. The parts sum to `asOf` minus its creation, to the millisecond. */
export function timeLedger(events: Iterable<HistoryEvent>, asOf: number, kindOf: KindOfStep): LedgerPart[] {
  const fold = new LedgerFold(kindOf);
  for (const event of events) fold.take(event);
  return fold.end(asOf);
}

/** Goes through a history and notes at each moment what the run's time goes to. */
class LedgerFold {
  readonly #kindOf: KindOfStep;
  readonly #steps = new Map<string, StepActivity>();
  readonly #sums = new Map<string, LedgerPart>();
  /** Steps of large groups that became ready and are not named. */
  #unnamed = 0;
  #at: number | undefined;
  #paused = false;
  #ended = false;
  #ending = false;
  #cleaningUp = false;

  constructor(kindOf: KindOfStep) {
    this.#kindOf = kindOf;
  }

  take(event: HistoryEvent): void {
    this.#advance(event.at);
    if (event.type.startsWith('cleanup-')) this.#takeCleanup(event);
    else if (event.type.startsWith('run-') || event.type === 'cancel-requested') this.#takeRun(event);
    else this.#takeStep(event);
  }

  end(asOf: number): LedgerPart[] {
    this.#advance(asOf);
    return [...this.#sums.values()].filter(({ ms }) => ms > 0).sort((a, b) => b.ms - a.ms);
  }

  /** Time passes: waits that are over in between change what it goes to. */
  #advance(to: number): void {
    this.#at ??= to;
    for (;;) {
      const due = this.#nextDue(to);
      const until = due ?? to;
      this.#spend(until - this.#at);
      this.#at = Math.max(this.#at, until);
      if (due === undefined) return;
      for (const [stepId, { until: ready }] of this.#steps) {
        if (ready !== undefined && ready <= due) this.#steps.set(stepId, { kind: 'queued' });
      }
    }
  }

  #nextDue(before: number): number | undefined {
    let next: number | undefined;
    for (const { until } of this.#steps.values()) {
      if (until !== undefined && until < before && (next === undefined || until < next)) next = until;
    }
    return next === undefined ? undefined : Math.max(next, this.#at ?? next);
  }

  #spend(ms: number): void {
    if (ms <= 0) return;
    const { kind, subject } = this.#now();
    const name = subject === undefined ? kind : `${kind}:${subject}`;
    const part = this.#sums.get(name) ?? { kind, ...(subject !== undefined && { subject }), ms: 0 };
    part.ms += ms;
    this.#sums.set(name, part);
  }

  #now(): { kind: LedgerKind; subject?: string } {
    if (this.#ended) return { kind: 'ended' };
    if (this.#paused) return { kind: 'paused' };
    if (this.#cleaningUp) return { kind: 'cleaning-up' };
    const found = new Map<string, StepActivity>();
    for (const activity of this.#steps.values()) if (!found.has(activity.kind)) found.set(activity.kind, activity);
    if (this.#unnamed > 0 && !found.has('queued')) found.set('queued', { kind: 'queued' });
    for (const kind of OF_STEPS) {
      const activity = found.get(kind);
      if (activity === undefined || (this.#ending && kind !== 'running')) continue;
      return activity.subject === undefined ? { kind } : { kind, subject: activity.subject };
    }
    return { kind: 'overhead' };
  }

  #takeRun({ type }: HistoryEvent): void {
    if (type === 'run-paused') this.#paused = true;
    if (type === 'run-resumed') this.#paused = false;
    if (type === 'cancel-requested') this.#ending = true;
    if (type === 'run-retried') {
      this.#ended = false;
      this.#ending = false;
    }
    if (!ENDS.has(type)) return;
    this.#ended = true;
    this.#paused = false;
    this.#cleaningUp = false;
    this.#steps.clear();
    this.#unnamed = 0;
  }

  /** From the first cleanup on the run has nothing else to do. */
  #takeCleanup({ type }: HistoryEvent): void {
    if (type === 'cleanup-started') this.#cleaningUp = true;
  }

  #takeStep({ type, stepId, data, at }: HistoryEvent): void {
    if (type === 'step-ready') {
      this.#takeReady(stepId, data);
      return;
    }
    if (stepId === undefined) return;
    if (type === 'attempt-started') {
      if (!this.#steps.has(stepId) && this.#unnamed > 0 && !stepId.endsWith(']')) this.#unnamed -= 1;
      this.#steps.set(stepId, { kind: 'running' });
    } else if (type === 'attempt-succeeded' || ATTEMPT_ENDS.has(type)) {
      this.#steps.set(stepId, { kind: 'queued' });
    } else if (type === 'retry-scheduled') {
      this.#steps.set(stepId, { kind: 'backing-off', until: at + Number(data?.['delayMs'] ?? 0) });
    } else if (type === 'step-parked') {
      this.#steps.set(stepId, { kind: 'parked', subject: String(data?.['reason'] ?? '') });
    } else if (type === 'wait-started') {
      this.#steps.set(stepId, { kind: 'waiting', subject: subjectOfWait(data) });
    } else if (type === 'wait-answered') {
      this.#steps.set(stepId, { kind: 'overhead' });
    } else if (STEP_ENDS.has(type)) {
      this.#settle(stepId);
    }
  }

  #takeReady(stepId: string | undefined, data: HistoryEvent['data']): void {
    const named = stepId === undefined ? listOf(data?.['steps']) : [stepId];
    for (const ready of named)
      this.#steps.set(ready, { kind: KINDS_OF_READY[this.#kindOf(ready) ?? ''] ?? 'overhead' });
    this.#unnamed += Math.max(0, Number(data?.['count'] ?? named.length) - named.length);
  }

  #settle(stepId: string): void {
    if (!this.#steps.delete(stepId) && this.#unnamed > 0 && !stepId.endsWith(']')) this.#unnamed -= 1;
    const items = `${stepId}[`;
    if (!stepId.endsWith(']')) {
      for (const other of this.#steps.keys()) if (other.startsWith(items)) this.#steps.delete(other);
    }
  }
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

function subjectOfWait(data: HistoryEvent['data']): string {
  const kind = String(data?.['kind'] ?? '');
  if (kind === 'workflow') return 'child-run';
  return kind === 'signal' ? `signal:${String(data?.['subject'] ?? '')}` : kind;
}
