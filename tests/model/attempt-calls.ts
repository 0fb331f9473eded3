import { countedEdges, type Plan } from '@flotilla/engine';
import {
  type CommitReply,
  checkpointChecksum,
  type EdgeArgument,
  type FailArguments,
  type FailReply,
  parseStepKey,
  STATES,
  STEP,
  type StepKey,
  stepIdOf,
} from '@flotilla/state';
import { FAR_MS } from './random-workflow.ts';
import * as attempts from './reference/attempt-transitions.ts';
import * as failures from './reference/failure-transitions.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import { type Call, call, type KnownAttempt, type World } from './world.ts';

/** The calls that workers make of an attempt, with the arguments that they take from the plan of its run. */

const ERROR = { type: 'non_retryable', code: 'STEP_FAILED', message: 'no | luck\nat "all" – für 🚀' };
export const errorJson = JSON.stringify(ERROR);

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
    hasQueuedTimer: step.work?.timeouts.queuedMs !== undefined,
    sources: step.needs.slice(0, 2).map(String),
  };
  return call({
    hot: true,
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
    next: options.mayContinue && parentKey === undefined ? successor(plan, edge.group) : undefined,
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
    compensated: step.work?.compensation !== undefined,
    nextAttemptId: options.mayContinue ? world.newAttemptId() : undefined,
    wantsInput: true,
    // What the worker has just made itself it does not ask for.
    sources: step.needs.slice(0, 2).map(String),
    nextItemAttemptMs: options.mayContinue && parentKey !== undefined ? FAR_MS : undefined,
    edges,
  };
  return call<CommitReply>({
    hot: true,
    what: `commit ${run.id} ${key} of ${attemptId} fence ${options.fenceShift ?? 0}${options.mayContinue ? ' going on' : ''}`,
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
function successor(plan: Plan, group: number): EdgeArgument['next'] {
  const { members, branchTarget } = plan.groups[group]!;
  const step = plan.steps[members[0]!]!;
  const { queuedMs, totalMs } = step.work?.timeouts ?? {};
  const needsRelay =
    branchTarget || step.kind !== 'task' || step.when !== undefined || queuedMs !== undefined || totalMs !== undefined;
  if (members.length !== 1 || needsRelay) return undefined;
  return { key: String(step.index), attemptMs: FAR_MS };
}

export function checkpointOf(
  run: ReferenceRun,
  key: StepKey,
  fence: number,
  stateJson: string,
  of: { kind?: 'progress' } = {},
) {
  const previous = '';
  const ts = run.createdAt + 1;
  const seq = (run.progress.get(key)?.seq ?? 0) + 1;
  const stepId = stepIdOf(run.plan, key);
  const checksum = checkpointChecksum({ ...of, runId: run.id, stepId, seq, fence, stateJson, ts, previous });
  return { ts, seq, checksum, previous };
}

export function addressOf(run: ReferenceRun, key: StepKey) {
  return { tag: run.tag, runId: run.id, key };
}

export type FailKind = 'retry' | 'final' | 'quarantine' | 'timed-out' | 'died-alone';

/** The facts of a failure that come from the plan. */
function failureOf(run: ReferenceRun, key: StepKey) {
  const step = stepOf(run.plan, key);
  const parentKey = parentOf(key);
  return {
    ...addressOf(run, key),
    errorJson,
    failFast: run.plan.failFast,
    tolerated: step.tolerated,
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
    'died-alone': 'attempt-lost',
  } as const;
  return failCall(world, run, {
    ...failureOf(run, key),
    attempt,
    event: events[kind],
    retryInMs: kind === 'retry' || kind === 'died-alone' ? FAR_MS : undefined,
    quarantine: kind === 'quarantine',
    alone: kind === 'died-alone',
  });
}

/** The scheduler ends a step, wherever it stands among these states. */
/** `opening`: of the group's firing, when that is why. */
export function forceFail(world: World, run: ReferenceRun, key: StepKey, from: string, opening?: number): Call {
  const event = from === STATES.unclaimed + STEP.delaying ? 'attempt-failed' : 'attempt-timed-out';
  return failCall(world, run, { ...failureOf(run, key), attempt: { from }, event, opening });
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

export function parkAttempt(world: World, known: KnownAttempt, fenceShift = 0): Call {
  const { run, key, attemptId } = known;
  const a = { ...addressOf(run, key), fence: known.fence + fenceShift, createdAt: run.createdAt, attemptId };
  return call({
    what: `park ${run.id} ${key} of ${attemptId}`,
    send: () => world.state.transitions.parkAttempt(a, 'breaker:payments', FAR_MS),
    apply: (reply, clock) =>
      failures.parkAttempt(world.reference, a, { reason: 'breaker:payments', forMs: FAR_MS }, reply, clock),
    silent: (reply) => reply,
  });
}

export function saveProgress(world: World, known: KnownAttempt, fenceShift = 0): Call {
  const { run, key, attemptId } = known;
  const fence = known.fence + fenceShift;
  const a = { ...addressOf(run, key), fence, createdAt: run.createdAt, attemptId };
  const stateJson = JSON.stringify({ done: attemptId });
  const checkpoint = checkpointOf(run, key, fence, stateJson, { kind: 'progress' });
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
      const newest = stored.kept.at(-1);
      const isSame = newest?.stateJson === expected?.stateJson && stored.newest?.seq === expected?.seq;
      if (
        !isSame ||
        newest?.checkpoint.seq !== expected?.seq ||
        stored.kept.length !== Math.min(3, expected?.seq ?? 0)
      ) {
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
      const isThere = world.reference.runs.get(run.id) === run && !run.isTerminal && run.status !== 'reopening';
      if (isThere) run.event('checkpoint-corrupt', key, { data: { checkpointSeq: 1 } });
    },
    silent: false,
  });
}
