import type { Chance } from '@flotilla/chaos';
import { hashOf, type RecordedRun, type StepReport } from '@flotilla/checker';
import type {
  CheckpointView,
  EventType,
  HistoryEvent,
  Json,
  RunStatus,
  StepView,
  WorkflowDefinition,
} from '@flotilla/contracts';

interface Held {
  attempt: number;
  attemptId: string;
  fence: number;
  worker: string;
}

/** Writes the history of a run as the engine would, on a clock of its own, and what its steps tell the recorder. */
export class HistoryBuilder {
  readonly runId: string;
  readonly events: HistoryEvent[] = [];
  readonly reports: StepReport[] = [];
  readonly createdAt: number;
  readonly #definition: WorkflowDefinition;
  readonly #chance: Chance;
  readonly #held = new Map<string, Held>();
  readonly #last = new Map<string, Held>();
  readonly #views = new Map<string, StepView>();
  readonly #checkpoints: CheckpointView[] = [];
  readonly #saves = new Map<string, number>();
  readonly #applied: Set<string>;
  /** Step ids, in the order of registration. */
  readonly #cleanups: string[] = [];
  #cleanedUp = 0;
  #failedCleanups = 0;
  #now: number;

  constructor(runId: string, definition: WorkflowDefinition, startAt: number, chance: Chance, applied: Set<string>) {
    this.runId = runId;
    this.#definition = definition;
    this.#chance = chance;
    this.#applied = applied;
    this.createdAt = startAt;
    this.#now = startAt;
    for (const [stepId, step] of Object.entries(definition.steps)) {
      const view: StepView = { stepId, kind: step.kind, status: 'waiting', attempts: 0 };
      if (step.needs !== undefined) view.needs = step.needs;
      this.#views.set(stepId, view);
    }
    this.#add('run-created');
  }

  get now(): number {
    return this.#now;
  }

  /** Lets time pass: so much, or a little by chance. */
  pass(ms = this.#chance.between(1, 40)): this {
    this.#now += ms;
    return this;
  }

  ready(...stepIds: string[]): this {
    if (stepIds.length === 1) this.#add('step-ready', { stepId: stepIds[0]! });
    else this.#add('step-ready', { data: { steps: stepIds, count: stepIds.length } });
    return this;
  }

  start(stepId: string, worker = `w-${this.#chance.between(1, 3)}`): this {
    this.pass();
    const before = this.#last.get(stepId);
    const fence = Math.max(this.#now, (before?.fence ?? 0) + 1);
    const charged = this.#view(stepId).attempts;
    const held = { attempt: charged + 1, attemptId: this.#chance.between(1e8, 9e8).toString(36), fence, worker };
    this.#held.set(stepId, held);
    this.#last.set(stepId, held);
    this.#add('attempt-started', { stepId, ...held });
    return this;
  }

  /** The step's effect happens, and the recorder is told. */
  effect(stepId: string, output: Json): this {
    const { fence } = this.#held.get(stepId)!;
    const key = `${this.runId}/${stepId}`;
    const applied = !this.#applied.has(key);
    this.#applied.add(key);
    this.reports.push({ kind: 'effect', ...this.#address(stepId, fence), outputHash: hashOf(output), applied });
    return this;
  }

  load(stepId: string, number: number): this {
    const { fence } = this.#held.get(stepId)!;
    const stateHash = hashOf(stateOf(number));
    this.reports.push({ kind: 'loaded', ...this.#address(stepId, fence), number, stateHash });
    return this;
  }

  save(stepId: string, number: number): this {
    const { fence, attempt, attemptId } = this.#held.get(stepId)!;
    const told = { ...this.#address(stepId, fence), number, stateHash: hashOf(stateOf(number)) };
    this.reports.push({ kind: 'saving', ...told });
    this.pass();
    this.#add('checkpoint-saved', { stepId, attempt, fence, attemptId });
    this.reports.push({ kind: 'saved', ...told, at: this.#now });
    this.#saves.set(stepId, (this.#saves.get(stepId) ?? 0) + 1);
    return this;
  }

  succeed(stepId: string, output: Json): this {
    this.pass();
    const { attempt, attemptId, fence } = this.#end(stepId);
    this.#add('attempt-succeeded', { stepId, attempt, attemptId, fence });
    this.#add('step-succeeded', { stepId, attempt, attemptId, fence });
    const step = this.#definition.steps[stepId];
    if (step !== undefined && 'compensate' in step) this.#cleanups.push(stepId);
    this.#settle(stepId, 'succeeded', { output, attempts: attempt });
    const saves = this.#saves.get(stepId) ?? 0;
    const { runId } = this;
    const common = { version: 1, runId, stepId, fence, ts: this.#now, previous: '', verified: true };
    const checksum = hashOf({ stepId, fence });
    this.#checkpoints.push({ ...common, kind: 'result', seq: saves + 1, checksum });
    if (saves > 0)
      this.#checkpoints.push({ ...common, kind: 'progress', seq: saves, checksum: hashOf(stateOf(saves)) });
    return this;
  }

  /** With an effect that tells of the output. */
  make(stepId: string, output: Json): this {
    return this.start(stepId).pass().effect(stepId, output).succeed(stepId, output);
  }

  fail(stepId: string, retryAfterMs: number | undefined, type = 'retryable'): this {
    return this.#charge(stepId, 'attempt-failed', retryAfterMs, { type, code: 'STEP_FAILED', message: 'no' });
  }

  timeOut(stepId: string, retryAfterMs: number | undefined): this {
    return this.#charge(stepId, 'attempt-timed-out', retryAfterMs, {
      type: 'timeout',
      code: 'TIMEOUT',
      message: 'late',
    });
  }

  lose(stepId: string): this {
    const { attempt, attemptId, fence, worker } = this.#end(stepId);
    this.#add('attempt-lost', { stepId, attempt, attemptId, fence, worker });
    const view = this.#view(stepId);
    view.lost = (view.lost ?? 0) + 1;
    return this;
  }

  cancelAttempt(stepId: string): this {
    this.pass();
    const { attempt, attemptId, fence } = this.#end(stepId);
    this.#add('attempt-cancelled', { stepId, attempt, attemptId, fence, data: { reason: 'cancelled' } });
    this.#settle(stepId, 'cancelled', {});
    return this;
  }

  /** Ends its attempt uncharged: what it calls is not to be called now. */
  park(stepId: string, breaker: string): this {
    this.pass();
    const reason = `breaker:${breaker}`;
    this.#add('attempt-cancelled', { stepId, ...signatureOf(this.#end(stepId)), data: { reason } });
    this.#add('step-parked', { stepId, data: { reason } });
    return this;
  }

  registerCleanup(stepId: string): this {
    this.pass();
    const { attempt, attemptId, fence } = this.#held.get(stepId)!;
    this.#cleanups.push(stepId);
    const cleanup = this.#cleanups.length - 1;
    this.#add('cleanup-registered', { stepId, cleanup, attempt, attemptId, fence, data: { use: 'undo' } });
    return this;
  }

  /** One attempt of the cleanup whose turn it is. */
  cleanUp(end: 'succeeded' | 'failed' | 'retried' | 'lost', worker = `w-${this.#chance.between(1, 3)}`): this {
    const cleanup = this.#cleanups.length - 1 - this.#cleanedUp;
    const stepId = this.#cleanups[cleanup]!;
    const attemptId = this.#chance.between(1e8, 9e8).toString(36);
    this.pass();
    const held = { stepId, cleanup, attempt: 1, attemptId, fence: this.#now };
    this.#add('cleanup-started', { ...held, worker });
    this.pass();
    this.#add(`cleanup-${end}`, end === 'lost' ? { ...held, worker } : held);
    if (end === 'failed') this.#failedCleanups += 1;
    if (end === 'succeeded' || end === 'failed') this.#cleanedUp += 1;
    return this;
  }

  /** The late result of an attempt that was lost. */
  reject(stepId: string, first: HistoryEvent): this {
    this.pass();
    const { attemptId = '', fence = 0 } = first;
    this.#add('attempt-rejected', { stepId, attemptId, fence, data: { reason: 'superseded', state: 'S' } });
    return this;
  }

  /** By the scheduler: a delay, a map, a branch, a skip. */
  settle(stepId: string, status: 'succeeded' | 'failed' | 'skipped', data?: Record<string, Json>): this {
    this.#add(`step-${status}`, { stepId, ...(data === undefined ? {} : { data }) });
    this.#settle(stepId, status, {});
    return this;
  }

  note(type: EventType, data?: Record<string, Json>): this {
    this.pass();
    this.#add(type, data === undefined ? {} : { data });
    return this;
  }

  /** The run is opened again, and these steps are made anew. */
  retry(opening: number, ...stepIds: string[]): this {
    for (const stepId of stepIds) {
      const { error: _, endedAt: __, ...view } = this.#view(stepId);
      this.#views.set(stepId, { ...view, status: 'waiting', attempts: 0 });
    }
    return this.note('run-retried', { opening });
  }

  event(type: EventType, stepId: string, index = 0): HistoryEvent {
    return this.events.filter((event) => event.type === type && event.stepId === stepId)[index]!;
  }

  end(status: RunStatus & ('succeeded' | 'failed' | 'cancelled')): RecordedRun {
    this.#add(`run-${status}`);
    for (const view of this.#views.values()) if (view.status === 'waiting') view.status = 'cancelled';
    return {
      run: {
        runId: this.runId,
        workflow: this.#definition.name,
        definitionHash: hashOf(this.#definition as unknown as Json),
        status,
        createdAt: this.createdAt,
        endedAt: this.#now,
        tags: [],
        ...(this.#cleanups.length > 0 && status !== 'succeeded' && { cleanups: this.#cleanupCounts(status) }),
      },
      steps: [...this.#views.values()],
      events: this.events,
      definition: this.#definition,
      checkpoints: this.#checkpoints,
    };
  }

  #cleanupCounts(outcome: 'failed' | 'cancelled') {
    const registered = this.#cleanups.length;
    return { registered, left: registered - this.#cleanedUp, failed: this.#failedCleanups, outcome };
  }

  #charge(stepId: string, type: EventType, retryAfterMs: number | undefined, error: Record<string, Json>): this {
    this.pass();
    const { attempt, attemptId, fence } = this.#end(stepId);
    this.#add(type, { stepId, attempt, attemptId, fence, data: error });
    this.#view(stepId).attempts = attempt;
    if (retryAfterMs === undefined) {
      this.#add('step-failed', { stepId, data: error });
      this.#settle(stepId, 'failed', {});
    } else {
      this.#add('retry-scheduled', { stepId, attempt: attempt + 1, data: { delayMs: retryAfterMs } });
      this.pass(retryAfterMs);
    }
    return this;
  }

  #address(stepId: string, fence: number) {
    return { at: this.#now, key: `${this.runId}/${stepId}`, runId: this.runId, stepId, fence };
  }

  #end(stepId: string): Held {
    const held = this.#held.get(stepId);
    if (held === undefined) throw new Error(`no attempt of ${stepId} runs`);
    this.#held.delete(stepId);
    return held;
  }

  #view(stepId: string): StepView {
    const known = this.#views.get(stepId);
    if (known !== undefined) return known;
    const item: StepView = { stepId, kind: 'map', status: 'ready', attempts: 0 };
    this.#views.set(stepId, item);
    return item;
  }

  #settle(stepId: string, status: StepView['status'], more: Partial<StepView>): void {
    Object.assign(this.#view(stepId), { status, ...more });
  }

  #add(type: EventType, more: Partial<HistoryEvent> = {}): void {
    this.events.push({ seq: this.events.length, at: this.#now, type, ...more });
  }
}

function signatureOf({ attempt, attemptId, fence }: Held) {
  return { attempt, attemptId, fence };
}

function stateOf(number: number): Json {
  return { page: number };
}
