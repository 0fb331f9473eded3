import { stepGroupOf } from '@flotilla/engine';
import type { Task, TaskOutcome, TaskStep } from '@flotilla/queue';
import { parseStepKey } from '@flotilla/state';
import type { RateLimitedLog } from '@flotilla/telemetry';
import { StepAttempt } from './attempt/step-attempt.ts';
import { AttemptRuntime } from './attempt-runtime.ts';
import { assignmentOf, Chain } from './chain.ts';
import { runCleanup } from './cleanup/run-cleanup.ts';
import type { ExecutorOptions } from './executor-options.ts';
import type { IsolatedAssignment } from './isolation/run-isolated.ts';
import type { LiveAttempts } from './live-attempts.ts';
import { NO_HANDLER_RETRY_MS } from './no-handler.ts';
import { readPlan } from './read-plan.ts';
import { runChain } from './run-chain.ts';
import { Slots } from './slots.ts';
import type { StepDurations } from './step-durations.ts';

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

/** Makes attempts: claims the steps of tasks, runs their handlers, commits what they return, and goes on in chains. */
export class Executor {
  readonly slots: Slots;
  readonly #runtime: AttemptRuntime;
  readonly #chains = new Set<Promise<void>>();
  #draining = false;

  constructor(options: ExecutorOptions) {
    this.#runtime = new AttemptRuntime(options);
    this.slots = new Slots(options.slots);
  }

  /** The attempts under way. */
  get live(): LiveAttempts {
    return this.#runtime.live;
  }

  get durations(): StepDurations {
    return this.#runtime.durations;
  }

  get failures(): RateLimitedLog {
    return this.#runtime.failures;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Ids of the attempts that this worker may have claimed and of which it does not know yet how they ended. */
  get owned(): ReadonlySet<string> {
    return this.#runtime.owned;
  }

  /**
   * Runs what a task names: up to the free slots now, the rest as slots come free within a moment; what is left then goes
   * back to the outbox for others. Takes its slots before it first awaits. Resolves when all of it has ended; never rejects.
   */
  async runTask(task: Task): Promise<TaskOutcome> {
    const outcome = this.#runtime.outcomes.begin(task);
    const granted = this.#draining ? 0 : this.slots.take(task.i.length);
    const chains = task.i.slice(0, granted).map((step) => this.#track(this.#runStep(task, step)));
    const rest = task.i.slice(granted);
    if (rest.length > 0) chains.push(this.#track(this.#runRest(task, rest)));
    await Promise.all(chains);
    return outcome;
  }

  /** Makes one attempt that another process has claimed, and goes on with nothing. Resolves when it has ended. */
  async makeClaimed({ runId, definitionHash, key, attemptId, claimed }: IsolatedAssignment): Promise<void> {
    const { state, abilities } = this.#runtime.options;
    const taskStep: TaskStep = [runId, definitionHash, key];
    const plan = await readPlan(this.#runtime, taskStep);
    if (plan === undefined) return;
    const assignment = assignmentOf(plan, key, abilities);
    if (typeof assignment === 'string') throw new Error(`told to make a step that cannot be made: ${key}`);
    const chain = new Chain(state, { tag: state.tagOf(runId), runId, plan, task: { v: 1, i: [taskStep] } });
    await new StepAttempt(this.#runtime, { chain, assignment, attemptId, claimed }, () => false).make();
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
      this.live.handBack();
      await Promise.allSettled([...this.#chains]);
    }
    clearTimeout(timer);
  }

  #track(chain: Promise<void>): Promise<void> {
    const { logger } = this.#runtime.options;
    const tracked = chain
      .catch((error: unknown) => logger.error({ error }, 'unexpected error in a chain of steps'))
      .finally(() => this.#chains.delete(tracked));
    this.#chains.add(tracked);
    return tracked;
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
        } else await this.#runStep(task, step);
      }),
    );
    if (late.length > 0) await this.#handBack(late);
  }

  /** Runs a step of a task, and what follows it, in a slot that has been taken. */
  async #runStep(task: Task, taskStep: TaskStep): Promise<void> {
    const startedAt = performance.now();
    try {
      const { state, abilities } = this.#runtime.options;
      const [runId, , key] = taskStep;
      const tag = state.tagOf(runId);
      const plan = await readPlan(this.#runtime, taskStep);
      if (plan === undefined) return;
      const chain = new Chain(state, { tag, runId, plan, task });
      const { step, cleanup } = parseStepKey(key);
      if (cleanup !== undefined) return await runCleanup(this.#runtime, chain, key);
      const assignment = assignmentOf(plan, key, abilities);
      if (assignment === 'no-work') return;
      if (assignment === 'no-handler') {
        await state.transitions.park({ tag, runId, key }, stepGroupOf(plan, step), 'no-handler', NO_HANDLER_RETRY_MS);
        return;
      }
      await runChain(this.#runtime, chain, assignment, this.#sliceFromNow());
    } finally {
      this.slots.release(performance.now() - startedAt);
    }
  }

  /** Whether a chain that begins now may go on. */
  #sliceFromNow(): () => boolean {
    const startedAt = performance.now();
    // Where fewer slots may be taken than are, chains end with their step, so that others go on with them.
    return () =>
      !this.#draining && this.slots.taken <= this.slots.limit && performance.now() - startedAt < this.#timeSliceMs();
  }

  #timeSliceMs(): number {
    return this.slots.unclaimed > 0 ? LONG_TIME_SLICE_MS : TIME_SLICE_MS;
  }

  async #handBack(steps: readonly TaskStep[]): Promise<void> {
    const { state } = this.#runtime.options;
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
