import type { EventType, Json, RunStatus } from '@flotilla/contracts';
import { decodeJoinCounter, FAILED_UNIT, type Plan, SUCCEEDED_UNIT } from '@flotilla/engine';
import { parseStepKey, type StepKey, stepIdOf } from '@flotilla/state';
import { hasFired, type Outcome, rulesOf, type Tally, tallyOf, type WorkflowRules } from './workflow-rules.ts';

type StepState =
  | 'running'
  | 'backing-off'
  | 'ready'
  | 'parked'
  | 'succeeded'
  | 'failed'
  | 'quarantined'
  | 'cancelled'
  | 'skipped'
  | 'delaying'
  | 'map-running'
  | 'map-succeeded';

export interface ReferenceStep {
  state: StepState;
  failures: number;
  crashes: number;
  /** With whom it was lost: worker ids, `!` behind one whose process lived on. */
  lostWith?: string[];
  /** Absolute; undefined when no attempt was ever made. */
  fence: number | undefined;
  attemptId: string;
  worker: string;
  reason?: string | undefined;
  /** JSON of an output or error. */
  body?: string | undefined;
  checksum?: string | undefined;
  /** Exact, where a reply told it. */
  firstAt?: number | undefined;
  /** Running: the step that its worker's chain began with, and whether its time limit has long passed. */
  head?: StepKey | undefined;
  overdue?: boolean | undefined;
  /** Maps. */
  map?:
    | { items: number; next: number; succeeded: number; failed: number; tolerated: number; isRetried?: boolean }
    | undefined;
}

export interface ReferenceEvent {
  type: EventType;
  stepId?: string;
  cleanup?: number;
  attempt?: number;
  fence?: number;
  attemptId?: string;
  worker?: string;
  data?: Json;
}

export interface ReferenceCleanup {
  stepKey: StepKey;
  /** Absent: a compensation. */
  use?: string;
  inputJson?: string;
  digest?: string;
}

export interface RunEnding {
  status: 'failed' | 'cancelled' | 'timed-out';
  error: string;
}

/** The tags that a run is started with: one, two or none, by its id. */
export function tagsOf(runId: string): string[] {
  const last = runId.charCodeAt(runId.length - 1) % 3;
  return last === 0 ? [] : last === 1 ? ['red'] : ['red', 'blue'];
}

/** A run as the reference knows it: no times, no counters, only what happened. */
export class ReferenceRun {
  readonly id: string;
  readonly tag: string;
  readonly plan: Plan;
  readonly rules: WorkflowRules;
  readonly bodyHash: string;
  readonly tags: readonly string[];
  createdAt = 0;
  status: RunStatus | 'reopening' = 'pending';
  /** How many times it has been opened, and what the last retry asked for. */
  opening = 1;
  selection: { only?: number[]; from?: number } | undefined;
  /** Fields of retried maps that say which item follows. */
  readonly jumps = new Map<string, number>();
  ending: RunEnding | undefined;
  wasResumed = false;
  /** Seq of the event of the cancellation that took effect. */
  cancelRequest: number | undefined;
  /** JSON of the first failure, when failures do not end the run at once. */
  failure: string | undefined;
  outputJson: string | undefined;
  readonly steps = new Map<StepKey, ReferenceStep>();
  readonly outcomes = new Map<number, Outcome>();
  /** Steps that failed for good and were neither made anew nor discarded since. */
  readonly deadLetters = new Set<number>();
  readonly items = new Map<StepKey, string>();
  /** The newest progress of a step; the last three are kept. */
  readonly progress = new Map<StepKey, { seq: number; stateJson: string }>();
  readonly held = new Set<StepKey>();
  /** Compensations and registered cleanups, in the order of registration. */
  readonly cleanups: ReferenceCleanup[] = [];
  /** Those of an earlier opening, until a scheduler has made the run ready to go on: their steps are made anew. */
  undone: readonly ReferenceCleanup[] = [];
  /** By step or item that was undone and made again: in which opening. */
  readonly redoneIn = new Map<StepKey, number>();
  /** Cleanups were made before the run was opened again. */
  hasUndone = false;
  cleanupsLeft = 0;
  cleanupsFailed = 0;
  cleanupsBegun = false;
  /** Chain head -> the step that the chain has come to. */
  readonly chains = new Map<StepKey, StepKey>();
  itemsMade: number | undefined;
  readonly events: ReferenceEvent[] = [];

  constructor(id: string, tag: string, plan: Plan, bodyHash: string) {
    this.id = id;
    this.tag = tag;
    this.plan = plan;
    this.rules = rulesOf(plan);
    this.bodyHash = bodyHash;
    this.tags = tagsOf(id);
  }

  get isActive(): boolean {
    return this.status === 'pending' || this.status === 'running' || this.status === 'paused';
  }

  get isTerminal(): boolean {
    return !this.isActive && this.status !== 'cancelling' && this.status !== 'reopening';
  }

  registerCleanup(cleanup: ReferenceCleanup): void {
    this.cleanups.push(cleanup);
    this.cleanupsLeft += 1;
  }

  /** The cleanup whose turn it is. */
  get cleanupInTurn(): StepKey | undefined {
    if (this.status !== 'cancelling' || !this.cleanupsBegun || this.cleanupsLeft === 0) return undefined;
    return `${this.cleanups[this.cleanupsLeft - 1]!.stepKey}!${this.cleanupsLeft - 1}`;
  }

  /** Whether a step may be handed out; of a cleanup, whether it is its turn. */
  mayGoOn(key: StepKey): boolean {
    return key.includes('!') ? key === this.cleanupInTurn : this.isActive;
  }

  /** Attempts under way. */
  get live(): number {
    let count = 0;
    for (const { state } of this.steps.values()) if (state === 'running') count += 1;
    return count;
  }

  get endPending(): number {
    return [...this.rules.endSteps].filter((step) => !this.outcomes.has(step)).length;
  }

  tally(group: number): Tally {
    return tallyOf(this.rules.groups[group]!, this.outcomes);
  }

  hasFired(group: number): boolean {
    return hasFired(this.rules.groups[group]!, this.tally(group));
  }

  /** Whether a step or map item may have been handed out by now. */
  isReached(key: StepKey): boolean {
    const { step, item } = parseStepKey(key);
    if (item === undefined) return this.hasFired(this.plan.steps[step]!.group);
    return item < (this.steps.get(String(step))?.map?.next ?? 0);
  }

  /** The counter that a group must have in Redis; undefined while none of its edges has been counted. */
  expectedCounter(group: number): number | undefined {
    const { pending, succeeded, failed } = this.tally(group);
    if (pending === this.rules.groups[group]!.edges.length) return undefined;
    return pending + succeeded * SUCCEEDED_UNIT + failed * FAILED_UNIT;
  }

  /** Notes how a step of the definition settled; gives the groups that fire by it. */
  settle(step: number, outcome: Outcome): number[] {
    const feeds = this.rules.feeds[step]!;
    const before = feeds.map((group) => this.hasFired(group));
    this.outcomes.set(step, outcome);
    return feeds.filter((group, index) => !before[index] && this.hasFired(group));
  }

  /** Whether its dead letters are listed. */
  get isDead(): boolean {
    return (this.status === 'failed' || this.status === 'timed-out') && this.deadLetters.size > 0;
  }

  event(type: EventType, key: StepKey | undefined, fields: Omit<ReferenceEvent, 'type' | 'stepId'> = {}): void {
    const event: ReferenceEvent = { type };
    if (key !== undefined) {
      event.stepId = stepIdOf(this.plan, key);
      const { cleanup } = parseStepKey(key);
      if (cleanup !== undefined) event.cleanup = cleanup;
    }
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined && value !== '') Object.assign(event, { [name]: value });
    }
    this.events.push(event);
  }

  announceReady(group: number): void {
    const members = this.plan.groups[group]!.members;
    const ids = members.map((member) => this.plan.steps[member]!.id);
    if (ids.length === 1) this.events.push({ type: 'step-ready', stepId: ids[0]! });
    else this.events.push({ type: 'step-ready', data: { steps: ids, count: ids.length } });
  }
}

/** What an outbox entry of a fired group says of its counter. */
export function tallyOfCounter(counter: number): Tally {
  return decodeJoinCounter(counter);
}
