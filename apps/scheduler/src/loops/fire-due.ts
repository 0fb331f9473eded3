import { isFlotillaError } from '@flotilla/contracts';
import { canonicalJson, failureOfStep, type Plan, type PlanStep } from '@flotilla/engine';
import type { TaskQueues } from '@flotilla/queue';
import { DUE, NO_HEADER, parseStepKey, STATES, type State, type TakenTimer } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { LRUCache } from 'lru-cache';
import type { Calm, CalmLook } from '../calm.ts';
import { isCleanup, readCleanupWork, timeOutCleanup } from '../decisions/cleanups.ts';
import { RECHECK_MS } from '../decisions/dispatch-steps.ts';
import { EntryTrials, READERS_BEFORE_TRIAL } from '../decisions/entry-trials.ts';
import { failDamaged } from '../decisions/fail-damaged.ts';
import { QueuedTime } from '../decisions/queued-time.ts';
import { settleDelay } from '../decisions/start-step.ts';
import { drainPartitions } from '../drain-partitions.ts';
import { Loop } from './loop.ts';

export interface FireDueDependencies {
  state: State<Plan>;
  queues: TaskQueues;
  schedulerId: string;
  calm: Calm;
  logger: Logger;
}

/** Longest time between two looks; also how late a timer set meanwhile can be noticed. */
const INTERVAL_MS = 50;
/** The same while nothing happens. Timers that are known by then are further away. */
const CALM_INTERVAL_MS = 500;
/** While older tasks wait in its queue, a step's hint is taken to be behind them; no longer than this. */
const TRUST_BACKLOG_MS = 60_000;
const BACKLOG_CACHE_MS = 500;
const LONG_BACKLOG = 1000;

interface Backlog {
  /** Redis' clock. */
  oldest: number | undefined;
  count: number;
}

/** Does what has become due: retries, delays, time limits, and steps whose hint was lost. */
export function createFireDueLoop(dependencies: FireDueDependencies): Loop {
  const timers = new DueTimers(dependencies);
  return new Loop({
    name: 'fire-due',
    turn: () => timers.turn(),
    intervalMs: INTERVAL_MS,
    logger: dependencies.logger,
  });
}

class DueTimers {
  readonly #dependencies: FireDueDependencies;
  readonly #queuedTime: QueuedTime;
  readonly #trials: EntryTrials;
  /** When a step's hint was first found unclaimed. Forgetting one costs a repeated hint. */
  readonly #unclaimedSince = new LRUCache<string, number>({ max: 50_000, ttl: 600_000 });
  readonly #backlogs = new LRUCache<string, Promise<Backlog>>({ max: 1000, ttl: BACKLOG_CACHE_MS });

  constructor(dependencies: FireDueDependencies) {
    this.#dependencies = dependencies;
    this.#queuedTime = new QueuedTime(dependencies.state);
    this.#trials = new EntryTrials(dependencies.state, dependencies.schedulerId, dependencies.logger);
  }

  async turn(): Promise<number> {
    const { state, calm } = this.#dependencies;
    const looks: CalmLook[] = [];
    const hasMore = await drainPartitions(state.tags, async (tag, limit) => {
      const look = await state.transitions.takeDue(tag, limit);
      const { lookedAt, taken } = look;
      looks.push(look);
      const isSuspect = ({ takenBefore }: TakenTimer) => takenBefore >= READERS_BEFORE_TRIAL;
      await Promise.all(taken.filter((timer) => !isSuspect(timer)).map((timer) => this.#fire(tag, timer)));
      for (const timer of taken.filter(isSuspect)) await this.#fireAlone(tag, timer);
      // What Redis does by itself counts, too: any number of parked steps may stand before a timer that is to be fired.
      return lookedAt;
    });
    calm.judge(looks);
    if (hasMore) return 0;
    return calm.isCalm ? CALM_INTERVAL_MS : INTERVAL_MS;
  }

  /** Those who took it before may have died of it. */
  async #fireAlone(tag: string, timer: TakenTimer): Promise<void> {
    const { letter, runId, key } = timer;
    const suspect = { tag, name: `due ${letter}|${key}|${runId}`, runId, key };
    const done = await this.#trials.carryOut(suspect, async () => {
      await this.#fire(tag, timer);
      return true;
    });
    if (done === undefined) await this.#dependencies.state.transitions.endTimer({ tag, runId, key }, letter);
  }

  async #fire(tag: string, timer: TakenTimer): Promise<void> {
    const { state, logger } = this.#dependencies;
    const { letter, runId, key } = timer;
    if (letter === DUE.backoff || letter === DUE.parked) {
      // Redis makes such a step ready by itself, unless the run's fields are damaged.
      await failDamaged({ runId, key }, { state, logger });
      await state.transitions.endTimer({ tag, runId, key }, letter);
      return;
    }
    if (letter === DUE.runLimit) {
      const error = { type: 'timeout', code: 'TIMEOUT', message: 'the run exceeded its time limit' };
      await state.transitions.timeOutRun(tag, runId, canonicalJson(error));
      return;
    }
    const definitionHash = await state.run(runId, tag).readDefinitionHash();
    if (definitionHash === undefined) {
      await state.transitions.endTimer({ tag, runId, key }, letter);
      return;
    }
    const plan = await this.#planOf(tag, timer, definitionHash);
    if (plan === undefined) {
      await state.transitions.endTimer({ tag, runId, key }, letter);
      return;
    }
    const step = plan.steps[parseStepKey(key).step];
    if (step === undefined) {
      logger.error({ runId, key }, 'dropping a timer whose step is not in the plan');
      await state.transitions.endTimer({ tag, runId, key }, letter);
      return;
    }
    if (isCleanup(key)) await this.#fireOfCleanup(tag, timer, plan);
    else if (letter === DUE.delay) await settleDelay(state, plan, runId, step);
    else if (letter === DUE.hint) await this.#recheck(tag, timer, step.work?.queue);
    else await this.#timeOut(tag, timer, plan, step);
  }

  /** The plan of a run, or undefined when it is damaged: the run, or the cleanup that is due, has been ended then. */
  async #planOf(tag: string, { runId, key }: TakenTimer, definitionHash: string): Promise<Plan | undefined> {
    const { state, logger } = this.#dependencies;
    try {
      return await state.readPlan(tag, definitionHash);
    } catch (error) {
      if (!isFlotillaError(error)) throw error;
      // Whoever takes it next may understand it: what was taken is there again in a few seconds.
      if (error.code === 'DEFINITION_NOT_UNDERSTOOD')
        logger.error({ runId, key, error }, 'leaving a timer to other schedulers');
      else if (error.code === 'DATA_CORRUPTION') await state.failCorrupt({ runId, key }, error.message);
      else throw error;
      return undefined;
    }
  }

  async #fireOfCleanup(tag: string, timer: TakenTimer, plan: Plan): Promise<void> {
    const { state } = this.#dependencies;
    const { letter, runId, key } = timer;
    if (letter === DUE.hint) {
      const work = await readCleanupWork(state, plan, timer);
      await this.#recheck(tag, timer, work?.queue);
      return;
    }
    if (letter === DUE.totalLimit) await timeOutCleanup(this.#dependencies, plan, timer);
    await state.transitions.endTimer({ tag, runId, key }, letter);
  }

  /** The step has not been claimed since it was dispatched. */
  async #recheck(tag: string, { runId, key, dueAt }: TakenTimer, queue = 'default'): Promise<void> {
    const { state } = this.#dependencies;
    const member = `${key}|${runId}`;
    const since = this.#unclaimedSince.get(member) ?? dueAt - RECHECK_MS;
    const { oldest, count } = await this.#backlogOf(queue);
    const recent = oldest !== undefined && oldest <= since && dueAt - since < TRUST_BACKLOG_MS;
    // A queue this long holds the hint, or work enough until the next look: hints must not outgrow the steps.
    const behindOthers = recent || count > LONG_BACKLOG;
    const again = await state.transitions.recheck({ tag, runId, key }, RECHECK_MS, !behindOthers);
    if (again === 'waiting' && behindOthers) this.#unclaimedSince.set(member, since);
    else this.#unclaimedSince.delete(member);
  }

  #backlogOf(queue: string): Promise<Backlog> {
    let backlog = this.#backlogs.get(queue);
    if (backlog === undefined) {
      const { queues } = this.#dependencies;
      backlog = Promise.all([queues.oldestWaitingAt(queue), queues.waitingCount(queue)]).then(([oldest, count]) => ({
        oldest,
        count,
      }));
      this.#backlogs.set(queue, backlog);
    }
    return backlog;
  }

  /** The step waited too long for an attempt, or took too long over all attempts. Both end it. */
  async #timeOut(tag: string, { letter, runId, key }: TakenTimer, plan: Plan, step: PlanStep): Promise<void> {
    const { state } = this.#dependencies;
    const queued = letter === DUE.queuedLimit;
    if (queued) {
      const address = { tag, runId, key };
      const againAt = await this.#queuedTime.putOffUntil(address, step.work?.timeouts.queuedMs ?? 0);
      if (againAt !== undefined) return this.#queuedTime.setLimit(address, againAt);
    }
    const error = {
      type: 'timeout',
      code: 'TIMEOUT',
      message: queued
        ? `no attempt started within ${step.work?.timeouts.queuedMs} ms (queuedMs)`
        : `the step did not settle within ${step.work?.timeouts.totalMs} ms (totalMs)`,
    };
    const { item } = parseStepKey(key);
    await state.transitions.fail({
      tag,
      runId,
      key,
      attempt: { from: queued ? STATES.unclaimed : NO_HEADER + STATES.unsettled },
      event: 'attempt-timed-out',
      ...failureOfStep(plan, { step, item }, error),
      hasTotalTimer: true,
    });
    await state.transitions.endTimer({ tag, runId, key }, letter);
  }
}
