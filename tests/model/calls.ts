import { createHash } from 'node:crypto';
import { FlotillaError, isFlotillaError } from '@flotilla/contracts';
import { countedEdges, type Plan } from '@flotilla/engine';
import {
  type CommitReply,
  checkpointChecksum,
  type EdgeArgument,
  type FailArguments,
  type FailReply,
  parseStepKey,
  type SettleArguments,
  type StepKey,
  stepIdOf,
} from '@flotilla/state';
import { FAR_MS } from './random-workflow.ts';
import * as attempts from './reference/attempt-transitions.ts';
import * as failures from './reference/failure-transitions.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import * as runTransitions from './reference/run-transitions.ts';
import * as steps from './reference/step-transitions.ts';
import type { Outcome } from './reference/workflow-rules.ts';
import { type Call, call, type KnownAttempt, type World } from './world.ts';

/** The calls that workers and schedulers make of a run, with the arguments that they take from its plan. */

const ERROR = { type: 'non_retryable', code: 'STEP_FAILED', message: 'no | luck\nat "all" – für 🚀' };
const errorJson = JSON.stringify(ERROR);

function parentOf(key: StepKey): StepKey | undefined {
  const { step, item } = parseStepKey(key);
  return item === undefined ? undefined : String(step);
}

export function stepOf(plan: Plan, key: StepKey) {
  return plan.steps[parseStepKey(key).step]!;
}

export function claim(world: World, run: ReferenceRun, key: StepKey, worker: string, overdue: boolean): Call {
  const step = stepOf(run.plan, key);
  const group = run.plan.groups[step.group]!;
  const attemptId = world.newAttemptId();
  const a = {
    tag: run.tag,
    runId: run.id,
    key,
    attemptId,
    worker,
    group: step.group,
    any: group.join === 'any',
    initial: group.needs,
    attemptMs: overdue ? -FAR_MS : FAR_MS,
    wantsInput: true,
    parentKey: parentOf(key),
    hasQueuedTimer: step.work?.timeouts.queuedMs !== undefined,
    sources: step.needs.slice(0, 2).map(String),
  };
  return call({
    what: `claim ${run.id} ${key} by ${worker} as ${attemptId}`,
    send: () => world.state.transitions.claim(a),
    apply: (reply, clock) => {
      attempts.claim(world.reference, a, reply, clock);
      if ('claimed' in reply)
        world.attempts.set(attemptId, { run, key, attemptId, fence: reply.claimed.fence, worker });
    },
  });
}

export interface CommitOptions {
  mayContinue: boolean;
  fenceShift?: number;
  foreignAttemptId?: boolean;
}

export function commit(world: World, known: KnownAttempt, options: CommitOptions): Call {
  const { run, key, worker } = known;
  const { plan } = run;
  const step = stepOf(plan, key);
  const attemptId = options.foreignAttemptId ? 'somebody-else' : known.attemptId;
  const fence = known.fence + (options.fenceShift ?? 0);
  const outputJson = JSON.stringify({ by: known.attemptId, text: '| für 🚀\n' });
  const parentKey = parentOf(key);
  const edges: EdgeArgument[] = countedEdges(plan, step.index, 'succeeded').map((edge) => ({
    ...edge,
    next: options.mayContinue && parentKey === undefined ? successor(world, plan, edge.group) : undefined,
  }));
  const a = {
    ...addressOf(run, key),
    fence,
    createdAt: run.createdAt,
    attemptId,
    worker,
    outputJson,
    checkpoint: checkpointOf(run, key, fence, outputJson),
    hasTotalTimer: step.work?.timeouts.totalMs !== undefined,
    endStep: step.endStep,
    mayContinue: options.mayContinue,
    wantsInput: true,
    // What the worker has just made itself it does not ask for.
    sources: step.needs.slice(0, 2).map(String),
    parentKey,
    nextItem:
      options.mayContinue && parentKey !== undefined
        ? { attemptId: world.newAttemptId(), attemptMs: FAR_MS }
        : undefined,
    edges,
  };
  return call<CommitReply>({
    what: `commit ${run.id} ${key} of ${attemptId} fence ${options.fenceShift ?? 0}${a.mayContinue ? ' going on' : ''}`,
    send: () => world.state.transitions.commit(a),
    apply: (reply, clock) => {
      attempts.commit(world.reference, a, reply, clock);
      if (reply.outcome !== 'continued') return;
      const next = world.reference.runs.get(run.id)!.steps.get(reply.key)!;
      world.attempts.set(next.attemptId, {
        run,
        key: reply.key,
        attemptId: next.attemptId,
        fence: next.fence!,
        worker,
      });
    },
    silent: (reply) => reply.outcome !== 'rejected' || reply.reason !== 'superseded',
  });
}

/** A lone member of a group that a worker may go on with. */
function successor(world: World, plan: Plan, group: number): EdgeArgument['next'] {
  const { members, branchTarget } = plan.groups[group]!;
  const step = plan.steps[members[0]!]!;
  const { queuedMs, totalMs } = step.work?.timeouts ?? {};
  const needsRelay =
    branchTarget || step.kind !== 'task' || step.when !== undefined || queuedMs !== undefined || totalMs !== undefined;
  if (members.length !== 1 || needsRelay) return undefined;
  return { key: String(step.index), attemptId: world.newAttemptId(), attemptMs: FAR_MS };
}

function checkpointOf(run: ReferenceRun, key: StepKey, fence: number, stateJson: string, previous = '') {
  const ts = run.createdAt + 1;
  const seq = (run.progress.get(key)?.seq ?? 0) + 1;
  const stepId = stepIdOf(run.plan, key);
  const checksum = checkpointChecksum({ runId: run.id, stepId, seq, fence, stateJson, ts, previous });
  return { ts, seq, checksum, previous };
}

function addressOf(run: ReferenceRun, key: StepKey) {
  return { tag: run.tag, runId: run.id, key };
}

export type FailKind = 'retry' | 'final' | 'quarantine' | 'timed-out';

/** The facts of a failure that come from the plan. */
function failureOf(run: ReferenceRun, key: StepKey) {
  const step = stepOf(run.plan, key);
  const parentKey = parentOf(key);
  return {
    ...addressOf(run, key),
    errorJson,
    failFast: run.plan.failFast,
    endStep: step.endStep,
    hasTotalTimer: step.work?.timeouts.totalMs !== undefined,
    parentKey,
    runErrorJson: JSON.stringify({ ...ERROR, stepId: step.id }),
    edges: countedEdges(run.plan, step.index, 'failed'),
    ...(parentKey === undefined ? {} : { successEdges: countedEdges(run.plan, step.index, 'succeeded') }),
  };
}

export function fail(world: World, known: KnownAttempt, kind: FailKind, fenceShift = 0): Call {
  const { run, key } = known;
  const attempt = { fence: known.fence + fenceShift, createdAt: run.createdAt, attemptId: known.attemptId };
  const events = {
    retry: 'attempt-failed',
    final: 'attempt-failed',
    quarantine: 'attempt-lost',
    'timed-out': 'attempt-timed-out',
  } as const;
  return failCall(world, run, {
    ...failureOf(run, key),
    attempt,
    event: events[kind],
    retryInMs: kind === 'retry' ? FAR_MS : undefined,
    quarantine: kind === 'quarantine',
  });
}

/** The scheduler ends a step, wherever it stands among these states. */
export function forceFail(world: World, run: ReferenceRun, key: StepKey, from: string): Call {
  const event = from === '-YPD' ? 'attempt-failed' : 'attempt-timed-out';
  return failCall(world, run, { ...failureOf(run, key), attempt: { from }, event });
}

function failCall(world: World, run: ReferenceRun, a: FailArguments): Call {
  const who = 'from' in a.attempt ? `from ${a.attempt.from}` : a.attempt.attemptId;
  return call<FailReply>({
    what: `fail ${run.id} ${a.key} ${who}${a.retryInMs === undefined ? '' : ', tried again'}`,
    send: () => world.state.transitions.fail(a),
    apply: (reply, clock) => failures.fail(world.reference, a, reply, clock),
    silent: (reply) => reply.outcome !== 'rejected' || reply.reason !== 'superseded',
    // A step that the scheduler has ended answers the second time that it is over.
    equivalent: (first, second) =>
      JSON.stringify(first) === JSON.stringify(second) || ('from' in a.attempt && second.outcome === 'rejected'),
  });
}

export function release(world: World, known: KnownAttempt, fenceShift = 0): Call {
  const { run, key, attemptId } = known;
  const a = { ...addressOf(run, key), fence: known.fence + fenceShift, createdAt: run.createdAt, attemptId };
  return call({
    what: `release ${run.id} ${key} of ${attemptId}`,
    send: () => world.state.transitions.release(a, 'drain'),
    apply: (reply) => failures.release(world.reference, a, 'drain', reply),
    silent: (reply) => reply,
  });
}

export function saveProgress(world: World, known: KnownAttempt, fenceShift = 0): Call {
  const { run, key, attemptId } = known;
  const fence = known.fence + fenceShift;
  const a = { ...addressOf(run, key), fence, createdAt: run.createdAt, attemptId };
  const stateJson = JSON.stringify({ done: attemptId });
  const checkpoint = checkpointOf(run, key, fence, stateJson);
  return call({
    what: `save progress ${run.id} ${key} of ${attemptId}`,
    send: () => world.state.transitions.saveProgress(a, stateJson, checkpoint),
    apply: (saved) => {
      const own = world.reference.runs.get(run.id) === run ? attempts.ownStep(run, a) : undefined;
      if (saved !== (own?.state === 'running')) throw new Error(`progress of ${key}: saved is ${saved}`);
      if (!saved) return;
      const again = run.progress.get(key);
      if (again?.seq === checkpoint.seq && again.stateJson === stateJson) return;
      run.progress.set(key, { seq: checkpoint.seq, stateJson });
      run.event('checkpoint-saved', key, { attempt: own!.failures + 1, fence, attemptId });
    },
  });
}

export function loadProgress(world: World, { run, key, attemptId, fence }: KnownAttempt): Call {
  const a = { ...addressOf(run, key), fence, createdAt: run.createdAt, attemptId };
  return call({
    what: `load progress ${run.id} ${key}`,
    send: () => world.state.transitions.loadProgress(a),
    apply: (stored) => {
      const expected = world.reference.runs.get(run.id) === run ? run.progress.get(key) : undefined;
      if (stored?.stateJson !== expected?.stateJson || stored?.checkpoint.seq !== expected?.seq) {
        throw new Error(`progress of ${key}: ${JSON.stringify(stored)}, expected ${JSON.stringify(expected)}`);
      }
    },
  });
}

export function reportCorruption(world: World, run: ReferenceRun, key: StepKey): Call {
  return call({
    what: `report corruption ${run.id} ${key}`,
    send: () => world.state.transitions.reportCorruption(addressOf(run, key), '{"checkpointSeq":1}'),
    apply: () => {
      if (world.reference.runs.get(run.id) === run)
        run.event('checkpoint-corrupt', key, { data: { checkpointSeq: 1 } });
    },
    silent: false,
  });
}

export interface Settlement {
  state: SettleArguments['state'];
  outcome: Outcome;
  reason?: string;
  outputJson?: string;
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

export function startDelay(world: World, run: ReferenceRun, key: StepKey): Call {
  const a = addressOf(run, key);
  return call({
    what: `start delay ${run.id} ${key}`,
    send: () => world.state.transitions.startDelay(a, FAR_MS),
    apply: (_, clock) => steps.startDelay(world.reference, a, FAR_MS, clock),
  });
}

export function startMap(world: World, run: ReferenceRun, key: StepKey, items: number, orElse: () => Call[]): Call {
  const a = addressOf(run, key);
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
  return call({
    what: `park ${run.id} ${key}`,
    send: () => world.state.transitions.park(a, reason, FAR_MS),
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

export function dispatched(
  world: World,
  tag: string,
  ids: readonly string[],
  timers: readonly (string | number)[],
): Call {
  return call({
    what: `dispatched ${ids.join()} ${timers.join()}`,
    send: () => world.state.transitions.dispatched(tag, ids, timers),
    apply: (_, clock) => steps.dispatched(world.reference, tag, ids, timers, clock),
  });
}

const cancelJson = JSON.stringify({ type: 'cancelled', code: 'CANCELLED', message: 'enough' });

export function cancelRun(world: World, run: ReferenceRun): Call {
  return call({
    what: `cancel ${run.id}`,
    send: () => orGone(world.state.transitions.cancelRun(run.tag, run.id, cancelJson)),
    apply: (reply) => runTransitions.cancelRun(world.reference, run.id, cancelJson, reply),
    equivalent: () => true,
  });
}

export function timeOutRun(world: World, run: Pick<ReferenceRun, 'tag' | 'id'>): Call {
  return call({
    what: `time out ${run.id}`,
    send: () => world.state.transitions.timeOutRun(run.tag, run.id, errorJson),
    apply: () => runTransitions.timeOutRun(world.reference, run.tag, run.id, errorJson),
  });
}

export function failRun(world: World, run: ReferenceRun): Call {
  return call({
    what: `fail ${run.id} as a whole`,
    send: () => world.state.transitions.failRun(run.tag, run.id, errorJson),
    apply: () => runTransitions.failRun(world.reference, run.id, errorJson),
  });
}

export function pauseOrResume(world: World, run: ReferenceRun, what: 'pause-run' | 'resume-run'): Call {
  return call({
    what: `${what} ${run.id}`,
    send: async () => {
      try {
        return await orGone(world.state.transitions.pauseOrResume(what, run.tag, run.id).then(() => 'done' as const));
      } catch (error) {
        if (isFlotillaError(error) && error.code === 'RUN_NOT_ACTIVE') return 'refused' as const;
        throw error;
      }
    },
    apply: (reply) =>
      (what === 'pause-run' ? runTransitions.pauseRun : runTransitions.resumeRun)(world.reference, run.id, reply),
  });
}

async function orGone<T>(reply: Promise<T>): Promise<T | 'gone'> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof FlotillaError && error.code === 'RUN_NOT_FOUND') return 'gone';
    throw error;
  }
}

export function finishRun(world: World, run: ReferenceRun, succeeded: boolean): Call {
  const end = succeeded ? { outputJson: '{"done":true}' } : { errorJson };
  return call({
    what: `finish ${run.id}`,
    send: () => world.state.transitions.finishRun(run.tag, run.id, end),
    apply: () => runTransitions.finishRun(world.reference, run.id, end),
  });
}

export function sweepRun(world: World, run: ReferenceRun): Call {
  const keys = [...run.plan.steps.map(({ index }) => String(index)), ...run.items.keys()];
  return call({
    what: `sweep ${run.id}`,
    send: () => world.state.transitions.sweepRun(run.tag, run.id, keys),
    apply: () => runTransitions.sweepRun(world.reference, run.tag, run.id, keys),
  });
}

export function pruneRun(world: World, run: ReferenceRun): Call {
  return call({
    what: `prune ${run.id}`,
    send: () => world.state.transitions.pruneRun(run.tag, run.id),
    apply: (reply) => {
      runTransitions.pruneRun(world.reference, run.id, reply);
      if (reply) world.forget(run.id);
    },
  });
}

export function bodyHashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
