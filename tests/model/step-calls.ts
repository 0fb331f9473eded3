import { countedEdges, stepGroupOf } from '@flotilla/engine';
import { type DueTimer, parseStepKey, type SettleArguments, type StepKey } from '@flotilla/state';
import { addressOf, checkpointOf, stepOf } from './attempt-calls.ts';
import { FAR_MS } from './random-workflow.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import * as steps from './reference/step-transitions.ts';
import type { Outcome } from './reference/workflow-rules.ts';
import { type Call, call, type World } from './world.ts';

/** The calls that schedulers make of steps that no attempt is made of, or not yet. */

export interface Settlement {
  state: SettleArguments['state'];
  outcome: Outcome;
  reason?: string;
  outputJson?: string;
  /** Of the group's firing, when that is why. */
  opening?: number;
  from?: string;
  timers?: string;
}

export function settle(world: World, run: ReferenceRun, key: StepKey, settlement: Settlement): Call {
  const step = stepOf(run.plan, key);
  const { outputJson } = settlement;
  const a = {
    ...addressOf(run, key),
    createdAt: run.createdAt,
    state: settlement.state,
    reason: settlement.reason,
    bodyJson: outputJson,
    checkpoint:
      settlement.state === 'succeeded' ? checkpointOf(run, key, run.createdAt, outputJson ?? 'null') : undefined,
    from: settlement.from ?? '-',
    failFast: run.plan.failFast,
    endStep: step.endStep,
    opening: settlement.opening,
    timers: settlement.timers ?? '',
    edges: countedEdges(run.plan, step.index, settlement.outcome),
  };
  return call<string>({
    what: `settle ${run.id} ${key} ${settlement.state} ${JSON.stringify(settlement.outcome)}`,
    send: () => world.state.transitions.settle(a),
    apply: (reply) => steps.settle(world.reference, a, settlement.outcome, reply),
    equivalent: (first, second) => first === second || first === 'settled',
  });
}

export function startDelay(world: World, run: ReferenceRun, key: StepKey, opening: number): Call {
  const a = { ...addressOf(run, key), opening };
  return call({
    what: `start delay ${run.id} ${key}`,
    send: () => world.state.transitions.startDelay(a, FAR_MS),
    apply: (_, clock) => steps.startDelay(world.reference, a, FAR_MS, clock),
  });
}

export function startMap(
  world: World,
  run: ReferenceRun,
  key: StepKey,
  { items, opening }: { items: number; opening: number },
  orElse: () => Call[],
): Call {
  const a = { ...addressOf(run, key), opening };
  const step = stepOf(run.plan, key);
  const itemsJson = Array.from({ length: items }, (_, index) => JSON.stringify({ item: index }));
  const settings = {
    concurrency: step.map!.concurrency,
    toleratedFailures: step.map!.toleratedFailures,
    maxSteps: run.plan.definition.budget?.maxSteps,
    definitionSteps: run.plan.steps.length,
  };
  let staged = false;
  return call<string>({
    what: `start map ${run.id} ${key} with ${items} items`,
    send: () => world.state.transitions.startMap(a, itemsJson, settings),
    apply: (reply) => {
      staged = steps.stageItems(world.reference, a, itemsJson, reply);
    },
    applySecond: (reply) => {
      if (staged) steps.startMap(world.reference, a, items, settings, reply);
    },
    followUps: (reply) => (reply === 'budget' ? orElse() : []),
    equivalent: () => true,
  });
}

export function park(world: World, run: ReferenceRun, key: StepKey, reason: string): Call {
  const a = addressOf(run, key);
  const { step, cleanup } = parseStepKey(key);
  const stepGroup = cleanup === undefined ? stepGroupOf(run.plan, step) : undefined;
  return call({
    what: `park ${run.id} ${key}`,
    send: () => world.state.transitions.park(a, stepGroup, reason, FAR_MS),
    apply: (_, clock) => steps.park(world.reference, a, reason, FAR_MS, clock),
  });
}

export function recheck(world: World, run: ReferenceRun, key: StepKey, handOut: boolean): Call {
  const a = addressOf(run, key);
  return call({
    what: `recheck ${run.id} ${key}${handOut ? ', handed out again' : ''}`,
    send: () => world.state.transitions.recheck(a, FAR_MS, handOut),
    apply: (reply, clock) => steps.recheck(world.reference, a, FAR_MS, handOut, reply, clock),
    silent: !handOut,
  });
}

export function handBack(world: World, run: ReferenceRun, keys: readonly StepKey[]): Call {
  const list = keys.map((key) => ({ runId: run.id, definitionHash: run.plan.hash, key }));
  return call({
    what: `hand back ${run.id} ${keys.join()}`,
    send: () => world.state.transitions.handBack(run.tag, list),
    apply: () => {
      for (const key of keys) world.reference.send(run.tag, `S|${run.id}|${run.plan.hash}|${key}`);
    },
    silent: false,
  });
}

export function dispatched(world: World, tag: string, ids: readonly string[], timers: readonly DueTimer[]): Call {
  return call({
    what: `dispatched ${ids.join()} ${timers.map(({ letter, key, runId }) => `${letter}|${key}|${runId}`).join()}`,
    send: () => world.state.transitions.dispatched(tag, ids, timers),
    apply: (_, clock) => steps.dispatched(world.reference, tag, ids, timers, clock),
  });
}
