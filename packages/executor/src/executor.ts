import type { WorkMeter } from '@flotilla/agents';
import { DEFAULT_FLAGS, type Flags, isFlotillaError, type JsonLimits } from '@flotilla/contracts';
import {
  type ClassifyRule,
  isOnForRun,
  isTooRiskyBesideOthers,
  mustBeAlone,
  type Plan,
  RetrySpread,
  stepGroupOf,
} from '@flotilla/engine';
import type { Task, TaskOutcome, TaskStep } from '@flotilla/queue';
import { type ClaimedAttempt, createAttemptId, parseStepKey, type ReportedProgress, type State } from '@flotilla/state';
import { createRateLimitedLog, type Logger, type RateLimitedLog } from '@flotilla/telemetry';
import { makeAttempt } from './attempt.ts';
import type { AbortCause, AttemptControl } from './attempt-control.ts';
import type { BreakerGate } from './behind-breaker.ts';
import { type Abilities, type Assignment, assignmentOf, Chain } from './chain.ts';
import { type AttemptToMake, type MakeAlone, makeAttemptAlone, quarantineUnjudged } from './make-alone.ts';
import { makeCleanup } from './make-cleanup.ts';
import { Slots } from './slots.ts';
import { StepDurations } from './step-durations.ts';
import { untilAnswered } from './until-answered.ts';

export interface ExecutorOptions {
  state: State<Plan>;
  workerId: string;
  abilities: Abilities;
  /** Attempts at once. */
  slots: number;
  logger: Logger;
  /** Users' rules for errors. */
  classifyRules?: readonly ClassifyRule[];
  /** What is switched on, for which runs. Default: everything for all. */
  flags?: Flags;
  /** Told of each attempt that failed as `resource_exhausted`, with its code. */
  onExhausted?: (code: string) => void;
  outputLimits?: JsonLimits;
  /** Told how each attempt ends, as far as that speaks of the agent. */
  meter?: WorkMeter;
  /** For steps that may be what ends workers. Default: they are made here, beside the others. */
  makeAlone?: MakeAlone;
  /** Of the whole fleet. Without them a step's `breaker` is ignored. */
  breakers?: BreakerGate;
  random?: () => number;
}

/** After this long a chain of continued steps goes back through the outbox, so that no run keeps a worker to itself. */
const TIME_SLICE_MS = 1000;
/**
 * The same while slots are free: the chain keeps nobody waiting, and coming back costs as much as several steps. It ends all
 * the same, so that workers that were started meanwhile get their share.
 */
const LONG_TIME_SLICE_MS = 5000;
/**
 * Steps of a task that found no free slot wait for one this long before they are handed back to the fleet: about what a whole
 * task of tiny steps takes, for coming back costs a step more than that.
 */
const PATIENCE_MS = 30;
const MOST_DESCRIBED = 10;
const MAX_RETRY_SPREADS = 500;
const MAX_CODES = 5;
/** A step whose handler this worker lacks is looked at again by the relay after this long. */
export const NO_HANDLER_RETRY_MS = 1000;

export interface LiveAttempt {
  runId: string;
  stepId: string;
  key: string;
  attemptId: string;
  tag: string;
  control: AttemptControl;
  /** Of a compensation or registered cleanup: the end of the run does not abort it. */
  isCleanup?: true;
  /** The task that it came with, or whose chain it goes on. */
  task: Task;
}

/** Makes attempts: claims the steps of tasks, runs their handlers, commits what they return, and goes on in chains. */
export class Executor {
  readonly slots: Slots;
  /** Failed attempts are logged through it: a dependency that is away makes thousands a second. */
  readonly failures: RateLimitedLog;
  readonly durations = new StepDurations();
  readonly options: ExecutorOptions;
  /** Ids of attempts, from before they are claimed until state has answered how they ended. */
  readonly held = new Set<string>();
  readonly #live = new Set<LiveAttempt>();
  readonly #outcomes = new WeakMap<Task, TaskOutcome>();
  readonly #retrySpreads = new Map<string, RetrySpread>();
  readonly #chains = new Set<Promise<void>>();
  #draining = false;
  #handsBack = false;

  constructor(options: ExecutorOptions) {
    this.options = options;
    const { logger } = options;
    this.failures = createRateLimitedLog({ logger, linesPerSecond: 5, linesPerSecondOverall: 50 });
    this.slots = new Slots(options.slots);
  }

  get running(): number {
    return this.#live.size;
  }

  /** What attempts under way have given their heartbeats since this was last asked: the last of each. */
  takeProgress(): ReportedProgress[] {
    return [...this.#live].flatMap(({ attemptId, control }) => {
      const value = control.takeProgress();
      return value === undefined ? [] : [{ attemptId, value }];
    });
  }

  /** Ids of the attempts whose handlers are under way. */
  attemptIds(): Set<string> {
    return new Set(Array.from(this.#live, ({ attemptId }) => attemptId));
  }

  /** Of what attempts share (see `spreadKeyOf`): the origins of requests are as many as authors like. */
  retrySpreadOf(key: string): RetrySpread {
    const spread = this.#retrySpreads.get(key) ?? new RetrySpread();
    // The one that was not used for the longest time is the first.
    this.#retrySpreads.delete(key);
    this.#retrySpreads.set(key, spread);
    if (this.#retrySpreads.size > MAX_RETRY_SPREADS) {
      for (const oldest of this.#retrySpreads.keys()) {
        this.#retrySpreads.delete(oldest);
        break;
      }
    }
    return spread;
  }

  /** The drain time is over: what is held goes back, what is still being claimed too. */
  get handsBack(): boolean {
    return this.#handsBack;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** What of a task runs now: `run/step`, a few of them. */
  describeTask(task: Task): string[] {
    const steps: string[] = [];
    for (const attempt of this.#live) {
      if (attempt.task !== task) continue;
      steps.push(`${attempt.runId}/${attempt.stepId}`);
      if (steps.length === MOST_DESCRIBED) break;
    }
    return steps;
  }

  /**
   * Runs what a task names: up to the free slots now, the rest as slots come free within a moment; what is left then goes
   * back to the outbox for others. Takes its slots before
   * it first awaits. Resolves when all of it has ended; never rejects.
   */
  async runTask(task: Task): Promise<TaskOutcome> {
    const outcome: TaskOutcome = { succeeded: 0, failed: 0, codes: [] };
    this.#outcomes.set(task, outcome);
    const granted = this.#draining ? 0 : this.slots.take(task.i.length);
    const chains = task.i.slice(0, granted).map((step) => this.#track(this.#runChain(task, step)));
    const rest = task.i.slice(granted);
    if (rest.length > 0) chains.push(this.#track(this.#runRest(task, rest)));
    await Promise.all(chains);
    return outcome;
  }

  /** Counts an attempt that came with a task; `code` of one that failed. */
  noteEnd(task: Task, code?: string): void {
    const outcome = this.#outcomes.get(task);
    if (outcome === undefined) return;
    if (code === undefined) outcome.succeeded += 1;
    else outcome.failed += 1;
    if (code !== undefined && outcome.codes.length < MAX_CODES && !outcome.codes.includes(code))
      outcome.codes.push(code);
  }

  /** Tiny steps free their slots in a moment, so what found none waits for that; what still has none goes to others. */
  async #runRest(task: Task, rest: readonly TaskStep[]): Promise<void> {
    const patienceMs = this.#draining ? 0 : PATIENCE_MS;
    const late: TaskStep[] = [];
    await Promise.all(
      rest.map(async (step) => {
        const granted = await this.slots.takeWithin(patienceMs);
        if (!granted) late.push(step);
        else if (this.#draining) {
          this.slots.release();
          late.push(step);
        } else await this.#runChain(task, step);
      }),
    );
    if (late.length > 0) await this.#handBack(late);
  }

  /** Makes one attempt that another process has claimed, and goes on with nothing. Resolves when it has ended. */
  async makeClaimed({ runId, definitionHash, key, attemptId, claimed }: AttemptToMake): Promise<void> {
    const { state, abilities } = this.options;
    const tag = state.tagOf(runId);
    const plan = await this.#planOf(tag, runId, key, definitionHash);
    if (plan === undefined) return;
    const assignment = assignmentOf(plan, key, abilities);
    if (typeof assignment === 'string') throw new Error(`told to make a step that cannot be made: ${key}`);
    const chain = new Chain(state, tag, runId, plan, { v: 1, i: [[runId, definitionHash, key]] });
    await makeAttempt(this, chain, assignment, attemptId, claimed, () => false, this.#live);
  }

  /** Aborts whatever is being made. */
  abortAll(cause: AbortCause): void {
    for (const { control } of this.#live) control.abort(cause);
  }

  /** Aborts the attempts of a run that is ending. */
  abortRun(runId: string): void {
    for (const attempt of this.#live) {
      if (attempt.runId === runId && !attempt.isCleanup) attempt.control.abort('cancelled');
    }
  }

  /** Aborts one attempt that the scheduler has ended, or (attemptId '') all items of a map: `key` is then `3.`. */
  abortAttempt(runId: string, key: string, attemptId: string): void {
    for (const attempt of this.#live) {
      if (attempt.runId !== runId) continue;
      const isItem = attempt.key.startsWith(key) && !attempt.isCleanup;
      const meant = attemptId === '' ? isItem : attempt.attemptId === attemptId;
      if (meant) attempt.control.abort('superseded');
    }
  }

  /** Asks state which runs of the attempts under way are ending, and aborts those: there were too many to be told. */
  async abortEnding(): Promise<void> {
    const { state } = this.options;
    const runs = new Map(Array.from(this.#live, ({ tag, runId }) => [runId, tag]));
    await Promise.all(
      Array.from(runs, async ([runId, tag]) => {
        if (!(await state.run(runId, tag).goesOn())) this.abortRun(runId);
      }),
    );
  }

  /** After a pause longer than the lease: asks state which attempts are still ours, and aborts the others. */
  async abortSuperseded(): Promise<void> {
    const { state } = this.options;
    await Promise.all(
      Array.from(this.#live, async ({ tag, runId, key, attemptId, control }) => {
        if (!(await state.run(runId, tag).isHeldBy(key, attemptId))) control.abort('superseded');
      }),
    );
  }

  /** Takes no more, lets attempts end for `graceMs`, then hands the rest back uncharged. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const done = Promise.allSettled([...this.#chains]);
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise((resolve) => {
      timer = setTimeout(resolve, graceMs, 'grace');
    });
    if ((await Promise.race([done, grace])) === 'grace') {
      this.#handsBack = true;
      this.abortAll('drain');
      await Promise.allSettled([...this.#chains]);
    }
    clearTimeout(timer);
  }

  #track(chain: Promise<void>): Promise<void> {
    const tracked = chain
      .catch((error: unknown) => this.options.logger.error({ error }, 'a chain of steps ended unexpectedly'))
      .finally(() => this.#chains.delete(tracked));
    this.#chains.add(tracked);
    return tracked;
  }

  async #runChain(task: Task, [runId, definitionHash, key]: TaskStep): Promise<void> {
    const startedAt = performance.now();
    try {
      const { state, abilities } = this.options;
      const tag = state.tagOf(runId);
      const plan = await this.#planOf(tag, runId, key, definitionHash);
      if (plan === undefined) return;
      if (parseStepKey(key).cleanup !== undefined) {
        await makeCleanup(this, { tag, runId, plan, key, task }, this.#live);
        return;
      }
      const assignment = assignmentOf(plan, key, abilities);
      if (assignment === 'no-work') return;
      if (assignment === 'no-handler') {
        await state.transitions.park(
          { tag, runId, key },
          stepGroupOf(plan, parseStepKey(key).step),
          'no-handler',
          NO_HANDLER_RETRY_MS,
        );
        return;
      }
      const chain = new Chain(state, tag, runId, plan, task);
      await this.#goOn(chain, assignment);
    } finally {
      this.slots.release(performance.now() - startedAt);
    }
  }

  /**
   * The plan of a run, or undefined: when it is damaged, the run, or the cleanup that is asked for, has been ended then; when it
   * is not understood here, the step has been left to others, and this worker has failed.
   */
  async #planOf(tag: string, runId: string, key: string, definitionHash: string): Promise<Plan | undefined> {
    const { state } = this.options;
    try {
      return await state.readPlan(tag, definitionHash);
    } catch (error) {
      if (!isFlotillaError(error)) throw error;
      if (error.code === 'DEFINITION_NOT_UNDERSTOOD') {
        this.options.logger.error(
          { error, runId, key },
          'a definition does not compile here: its step is left to others',
        );
        this.options.meter?.couldNotBegin(`${runId}/${key}`);
        await untilAnswered(() => state.transitions.refuseDefinition(tag, runId, definitionHash, key));
      } else if (error.code === 'DATA_CORRUPTION') await state.failCorrupt({ runId, key }, error.message);
      else throw error;
      return undefined;
    }
  }

  async #goOn(chain: Chain, first: Assignment): Promise<void> {
    const startedAt = performance.now();
    let attemptId = createAttemptId(chain.runId);
    this.held.add(attemptId);
    try {
      let claimed = await untilAnswered(() => this.#claim(chain, first, attemptId));
      const { makeAlone } = this.options;
      const isolates = isOnForRun(this.options.flags ?? DEFAULT_FLAGS, 'isolate-suspects', chain.runId);
      if (claimed !== undefined && makeAlone !== undefined && isolates && mustBeAlone(claimed.crashes)) {
        if (await makeAttemptAlone(this, makeAlone, chain, first, attemptId, claimed, this.#live)) return;
      }
      if (claimed !== undefined && isTooRiskyBesideOthers(claimed.crashes)) {
        await quarantineUnjudged(this, chain, first, attemptId, claimed);
        return;
      }
      let assignment = first;
      while (claimed !== undefined) {
        // Where fewer slots may be taken than are, chains end with their step, so that others go on with them.
        const mayContinue = () =>
          !this.#draining &&
          this.slots.taken <= this.slots.limit &&
          performance.now() - startedAt < this.#timeSliceMs();
        const next = await makeAttempt(this, chain, assignment, attemptId, claimed, mayContinue, this.#live);
        if (next === undefined) return;
        const following = assignmentOf(chain.plan, next.key, this.options.abilities);
        if (typeof following === 'string') throw new Error(`continued with a step that cannot be made: ${next.key}`);
        assignment = following;
        this.held.delete(attemptId);
        attemptId = next.attemptId;
        claimed = next.claimed;
      }
    } finally {
      this.held.delete(attemptId);
    }
  }

  #timeSliceMs(): number {
    return this.slots.unclaimed > 0 ? LONG_TIME_SLICE_MS : TIME_SLICE_MS;
  }

  async #claim(chain: Chain, { key, step, work }: Assignment, attemptId: string): Promise<ClaimedAttempt | undefined> {
    const reply = await this.options.state.transitions.claim({
      tag: chain.tag,
      runId: chain.runId,
      key,
      attemptId,
      worker: this.options.workerId,
      ...stepGroupOf(chain.plan, step.index),
      attemptMs: work.timeouts.attemptMs,
      wantsInput: chain.needsInput(work),
      hasQueuedTimer: work.timeouts.queuedMs !== undefined,
      sources: chain.sourcesToClaim(work),
    });
    return 'claimed' in reply ? reply.claimed : undefined;
  }

  async #handBack(steps: readonly TaskStep[]): Promise<void> {
    const { state } = this.options;
    const byTag = Map.groupBy(steps, ([runId]) => state.tagOf(runId));
    await Promise.all(
      Array.from(byTag, ([tag, list]) =>
        state.transitions.handBack(
          tag,
          list.map(([runId, definitionHash, key]) => ({ runId, definitionHash, key })),
        ),
      ),
    );
  }
}
