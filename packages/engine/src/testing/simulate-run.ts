import { FlotillaError, isSettledStepStatus, type Json, type StepStatus } from '@flotilla/contracts';
import { chooseBranch } from '../choose-branch.ts';
import { classifyError } from '../classify-error.ts';
import { decideJoin, groupFires, type JoinSkipReason } from '../decide-join.ts';
import { decideRetry } from '../decide-retry.ts';
import { evaluateCondition } from '../evaluate-expression.ts';
import { decodeJoinCounter, encodeJoinCounter } from '../join-counter.ts';
import type { ItemFailure, Plan, PlanStep, PlanWork, Scope } from '../plan.ts';
import { resolveDelay } from '../resolve-delay.ts';
import { resolveMapItems } from '../resolve-map-items.ts';
import { outcomeOfSkip, type SettledOutcome, settleEdges } from '../settle-edges.ts';

/** What a simulated handler does with one attempt. */
export type SimulatedHandler = (call: { stepId: string; attempt: number; input: Json }) => SimulatedResult;
type SimulatedResult = { afterMs: number } & ({ output: Json } | { error: unknown });

interface SimulatedStep {
  status: StepStatus;
  output: Json;
  error: { code: string; message: string } | undefined;
  failures: ItemFailure[];
  reason: string | undefined;
  attempts: number;
  startedAtMs: number | undefined;
  settledAtMs: number | undefined;
}

interface SimulatedRun {
  status: 'succeeded' | 'failed' | 'timed-out';
  output: Json;
  endedAtMs: number;
  steps: Record<string, SimulatedStep>;
}

/**
 * Runs a plan in memory, single-threaded, on a clock of its own: what the rules of the engine mean when nothing ever
 * breaks. It is the reference that the language's cases and the tests of the real thing are held against.
 */
export function simulateRun(plan: Plan, input: Json, handlers: Record<string, SimulatedHandler>): SimulatedRun {
  return new Simulation(plan, input, handlers).run();
}

/** What the clock says when a run begins. */
const BEGINS_AT_MS = 1_767_225_600_000;

interface Timer {
  atMs: number;
  order: number;
  work: () => void;
}

class Simulation {
  readonly #plan: Plan;
  readonly #handlers: Record<string, SimulatedHandler>;
  readonly #scope: Scope;
  readonly #steps: SimulatedStep[];
  readonly #counters: number[];
  readonly #timers: Timer[] = [];
  #order = 0;
  #nowMs = 0;
  #endPending: number;
  #live = 0;
  #status: SimulatedRun['status'] | undefined;

  constructor(plan: Plan, input: Json, handlers: Record<string, SimulatedHandler>) {
    this.#plan = plan;
    this.#handlers = handlers;
    this.#steps = plan.steps.map(() => ({
      status: 'waiting',
      output: null,
      error: undefined,
      failures: [],
      reason: undefined,
      attempts: 0,
      startedAtMs: undefined,
      settledAtMs: undefined,
    }));
    this.#counters = plan.groups.map((group) => encodeJoinCounter({ pending: group.needs, succeeded: 0, failed: 0 }));
    this.#endPending = plan.endSteps;
    this.#scope = { run: { id: '00-simulated', input }, step: (index) => this.#steps[index]! };
  }

  run(): SimulatedRun {
    if (this.#plan.timeoutMs !== undefined) this.#after(this.#plan.timeoutMs, () => this.#end('timed-out'));
    if (this.#plan.entryGroup !== undefined) this.#fire(this.#plan.entryGroup);
    while (this.#status === undefined) {
      const timer = this.#timers.sort((one, two) => one.atMs - two.atMs || one.order - two.order).shift();
      if (timer === undefined) throw new Error('the run waits for something that never comes');
      this.#nowMs = timer.atMs;
      timer.work();
    }
    const output = this.#status === 'succeeded' ? (this.#plan.output?.resolve(this.#scope) ?? null) : null;
    const steps = Object.fromEntries(this.#plan.steps.map(({ id, index }) => [id, this.#steps[index]!]));
    return { status: this.#status, output, endedAtMs: this.#nowMs, steps };
  }

  #after(delayMs: number, work: () => void): void {
    this.#order += 1;
    this.#timers.push({ atMs: this.#nowMs + delayMs, order: this.#order, work });
  }

  #fire(groupIndex: number): void {
    const group = this.#plan.groups[groupIndex]!;
    const decision = decideJoin(group, decodeJoinCounter(this.#counters[groupIndex]!));
    for (const member of group.members) {
      if (decision.run) this.#after(0, () => this.#start(this.#plan.steps[member]!));
      else this.#skip(member, decision.reason);
    }
  }

  #start(step: PlanStep): void {
    const state = this.#steps[step.index]!;
    if (this.#status !== undefined || state.status !== 'waiting') return;
    state.status = 'ready';
    try {
      if (step.when !== undefined && !evaluateCondition(step.when, this.#scope)) {
        this.#skip(step.index, 'when-false');
        return;
      }
      this.#begin(step, state);
    } catch (error) {
      this.#fail(step.index, error);
    }
  }

  #begin(step: PlanStep, state: SimulatedStep): void {
    state.startedAtMs = this.#nowMs;
    if (step.kind === 'branch') {
      this.#settle(step.index, 'succeeded', { chosen: chooseBranch(step, this.#scope) });
    } else if (step.kind === 'delay') {
      const forMs =
        step.delay === undefined
          ? (step.forMs ?? 0)
          : resolveDelay(step.delay, this.#scope, BEGINS_AT_MS + this.#nowMs);
      this.#after(forMs, () => this.#finishStep(step.index, { output: { delayedMs: forMs } }));
    } else if (step.map !== undefined) {
      this.#beginMap(step, state);
    } else {
      this.#attempt(step, step.work!, 1, this.#scope, state, (result) => this.#finishStep(step.index, result));
    }
  }

  #finishStep(index: number, result: { output: Json } | { error: unknown }): void {
    if ('error' in result) {
      this.#fail(index, result.error);
      return;
    }
    this.#steps[index]!.output = result.output;
    this.#settle(index, 'succeeded', 'succeeded');
  }

  #beginMap(step: PlanStep, state: SimulatedStep): void {
    const { as, concurrency, toleratedFailures } = step.map!;
    const items = resolveMapItems(step.map!, this.#scope);
    const outputs: Json[] = items.map(() => null);
    let [next, open, failures] = [0, items.length, 0];
    const startNext = () => {
      const index = next;
      if (index >= items.length) return;
      next += 1;
      const scope = { ...this.#scope, item: { name: as, value: items[index]!, index } };
      this.#attempt(step, step.work!, 1, scope, state, (result) => {
        if ('output' in result) outputs[index] = result.output;
        else {
          failures += 1;
          state.failures.push({ index, ...codeAndMessage(result.error) });
        }
        open -= 1;
        if (failures > toleratedFailures) {
          this.#finishStep(step.index, { error: new FlotillaError('MAP_ITEMS_FAILED', `${failures} items failed`) });
        } else if (open === 0) this.#finishStep(step.index, { output: outputs });
        else startNext();
      });
    };
    if (items.length === 0) this.#finishStep(step.index, { output: outputs });
    for (let slot = 0; slot < Math.min(concurrency, items.length); slot += 1) startNext();
  }

  #attempt(
    step: PlanStep,
    work: PlanWork,
    attempt: number,
    scope: Scope,
    state: SimulatedStep,
    done: (result: { output: Json } | { error: unknown }) => void,
  ): void {
    if (this.#status !== undefined || isSettledStepStatus(state.status)) return;
    state.status = 'running';
    state.attempts += 1;
    this.#live += 1;
    const result = this.#call(step, work, attempt, scope);
    this.#after(result.afterMs, () => {
      this.#live -= 1;
      if (this.#status !== undefined || isSettledStepStatus(state.status)) {
        this.#endWhenDone();
        return;
      }
      if ('output' in result) {
        done(result);
        return;
      }
      const classification = classifyError(result.error);
      const question = {
        classification,
        policy: work.retry,
        failures: attempt,
        elapsedMs: 0,
        random: 0.5,
      };
      const decision = decideRetry(question);
      if (decision.action === 'fail') done(result);
      else this.#after(decision.delayMs, () => this.#attempt(step, work, attempt + 1, scope, state, done));
    });
  }

  #call(step: PlanStep, work: PlanWork, attempt: number, scope: Scope): SimulatedResult {
    const handler = this.#handlers[work.use];
    if (handler === undefined) return { afterMs: 0, error: new FlotillaError('STEP_FAILED', work.use) };
    try {
      const result = handler({ stepId: step.id, attempt, input: work.input?.resolve(scope) ?? {} });
      if (result.afterMs <= work.timeouts.attemptMs) return result;
      return { afterMs: work.timeouts.attemptMs, error: new FlotillaError('TIMEOUT', 'the attempt took too long') };
    } catch (error) {
      return { afterMs: 0, error };
    }
  }

  #fail(index: number, error: unknown): void {
    this.#steps[index]!.error = codeAndMessage(error);
    this.#settle(index, 'failed', 'failed');
  }

  #skip(index: number, reason: JoinSkipReason | 'when-false'): void {
    this.#steps[index]!.reason = reason;
    this.#settle(index, 'skipped', outcomeOfSkip(reason));
  }

  #settle(index: number, status: StepStatus, outcome: SettledOutcome): void {
    const state = this.#steps[index]!;
    if (this.#status !== undefined) return;
    if (isSettledStepStatus(state.status)) throw new Error(`${this.#plan.steps[index]!.id} settles twice`);
    state.status = status;
    state.settledAtMs = this.#nowMs;
    if (status === 'failed' && this.#plan.failFast && !this.#plan.steps[index]!.tolerated) {
      this.#end('failed');
      return;
    }
    const fired: number[] = [];
    for (const { group, delta } of settleEdges(this.#plan, index, outcome)) {
      const before = decodeJoinCounter(this.#counters[group]!);
      this.#counters[group]! += delta;
      const after = decodeJoinCounter(this.#counters[group]!);
      if (groupFires(this.#plan.groups[group]!.join, before, after)) fired.push(group);
    }
    if (this.#plan.steps[index]!.endStep) this.#endPending -= 1;
    for (const group of fired) this.#fire(group);
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (this.#status !== undefined || this.#endPending > 0 || this.#live > 0) return;
    const hasFailed = this.#steps.some(
      ({ status }, index) => status === 'failed' && !this.#plan.steps[index]!.tolerated,
    );
    this.#end(hasFailed ? 'failed' : 'succeeded');
  }

  #end(status: SimulatedRun['status']): void {
    this.#status ??= status;
    for (const state of this.#steps) {
      if (isSettledStepStatus(state.status)) continue;
      state.status = 'cancelled';
      state.settledAtMs = this.#nowMs;
    }
  }
}

function codeAndMessage(error: unknown): { code: string; message: string } {
  const { code, message } = classifyError(error);
  return { code, message };
}
