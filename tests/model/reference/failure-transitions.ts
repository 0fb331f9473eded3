import { DUE, type FailArguments, type FailReply, parseStepKey, TIMERS, type UndecidedAttempt } from '@flotilla/state';
import { letterOf, ownStep, reject } from './attempt-transitions.ts';
import { DUE_NOW } from './gathered-index.ts';
import { countItem } from './map-items.ts';
import {
  after,
  type Clock,
  dueMember,
  endLease,
  expectReply,
  failRun,
  finishWhenDone,
  isOfOtherOpening,
  type Reference,
  sendFired,
  sendStep,
} from './reference.ts';
import type { ReferenceRun, ReferenceStep } from './reference-run.ts';

export function fail(state: Reference, a: FailArguments, reply: FailReply, clock: Clock): void {
  const what = `fail ${a.key}`;
  const rejected = (reason: string) => expectReply(reply, { outcome: 'rejected', reason }, what);
  const run = state.runs.get(a.runId);
  if (run === undefined) {
    rejected('gone');
    return;
  }
  let step = run.steps.get(a.key);
  if ('from' in a.attempt) {
    if (!run.isActive && run.status !== 'cancelling') {
      rejected('ended');
      return;
    }
    if (isOfOtherOpening(run, a)) {
      rejected('reopened');
      return;
    }
    if (!a.attempt.from.includes(letterOf(step))) {
      rejected('settled');
      return;
    }
    step ??= newStep(run, a.key);
  } else {
    const own = ownStep(run, { key: a.key, ...a.attempt });
    if (own?.state === 'backing-off') {
      if (reply.outcome !== 'retry') throw new Error(`${what}: a repeated failure is told when it is tried again`);
      return;
    }
    if (own?.state === 'failed' || own?.state === 'quarantined') {
      expectReply(reply, { outcome: 'failed' }, what);
      return;
    }
    if (own?.state === 'cancelled') {
      expectReply(reply, { outcome: 'cancelled' }, what);
      return;
    }
    if (own?.state !== 'running') {
      reject(run, { key: a.key, ...a.attempt });
      rejected('superseded');
      return;
    }
  }
  const error: unknown = JSON.parse(a.errorJson);
  const wasRunning = step!.state === 'running';
  if (wasRunning) endAttempt(state, run, a, step!);
  step!.body = a.errorJson;
  if (!run.isActive) {
    Object.assign(step!, { state: 'cancelled', reason: 'run-ending' });
    expectReply(reply, { outcome: 'cancelled' }, what);
  } else if (a.retryInMs !== undefined) {
    step!.state = 'backing-off';
    run.event('retry-scheduled', a.key, { attempt: step!.failures + 1, data: { delayMs: a.retryInMs } });
    state.due.set(run.tag, dueMember(DUE.backoff, a.key, run.id), after(clock, a.retryInMs));
    const { at } = reply as Extract<FailReply, { outcome: 'retry' }>;
    if (!(at >= clock.from + a.retryInMs && at <= clock.to + a.retryInMs)) throw new Error(`${what}: retry at ${at}`);
  } else {
    step!.state = a.quarantine ? 'quarantined' : 'failed';
    run.event(a.quarantine ? 'step-quarantined' : 'step-failed', a.key, { data: error as never });
    endTimers(state, run, a, wasRunning);
    settleFailure(state, run, a);
    expectReply(reply, { outcome: 'failed' }, what);
  }
  finishWhenDone(state, run);
}

function newStep(run: ReferenceRun, key: string): ReferenceStep {
  const step: ReferenceStep = {
    state: 'ready',
    failures: 0,
    crashes: 0,
    fence: undefined,
    attemptId: '',
    worker: '',
  };
  run.steps.set(key, step);
  return step;
}

function endAttempt(state: Reference, run: ReferenceRun, a: FailArguments, step: ReferenceStep): void {
  const { failures, fence, attemptId } = step;
  run.event(a.event, a.key, {
    attempt: failures + 1,
    ...(fence === undefined ? {} : { fence }),
    attemptId,
    data: JSON.parse(a.errorJson),
  });
  if (a.event === 'attempt-lost') {
    step.crashes += 1;
    addLoss(step, `${step.worker}${a.alone ? '!' : ''}`);
  } else step.failures += 1;
  endLease(state, run, a.key);
  // It is over: what follows must not count it as live.
  step.state = 'ready';
}

/** The last twenty. */
function addLoss(step: ReferenceStep, worker: string): void {
  step.lostWith = [...(step.lostWith ?? []), worker].slice(-20);
}

function endTimers(state: Reference, run: ReferenceRun, a: FailArguments, wasRunning: boolean): void {
  const letters = (a.hasTotalTimer ? DUE.totalLimit : '') + (wasRunning ? '' : TIMERS.ofWaitingStep);
  for (const letter of letters) state.due.remove(run.tag, dueMember(letter, a.key, run.id));
}

function settleFailure(state: Reference, run: ReferenceRun, a: FailArguments): void {
  const { step: index, item } = parseStepKey(a.key);
  if (item === undefined) {
    if (!a.tolerated) {
      run.deadLetters.add(index);
      failRun(run, a.failFast, a.runErrorJson);
    }
    sendFired(state, run, run.settle(index, 'failed'));
    return;
  }
  if (run.steps.get(String(index))?.state !== 'map-running') return;
  const counted = countItem(run, index, false);
  if (counted.nextItem !== undefined) sendStep(state, run, counted.nextItem);
  if (counted.outcome === 'more') return;
  if (counted.outcome === 'failed') {
    run.steps.get(String(index))!.body = a.runErrorJson;
    if (!a.tolerated) run.deadLetters.add(index);
    run.event('step-failed', String(index), { data: JSON.parse(a.runErrorJson) });
    if (!a.tolerated) failRun(run, a.failFast, a.runErrorJson);
  }
  sendFired(state, run, run.settle(index, counted.outcome));
}

interface HeldAttempt {
  runId: string;
  key: string;
  fence: number;
  attemptId: string;
}

export function release(state: Reference, a: HeldAttempt, reason: string, released: boolean): void {
  const run = leaveAttempt(state, a, { to: 'ready', reason, reply: released });
  if (run === undefined) return;
  if (run.steps.get(a.key)!.state === 'ready') sendStep(state, run, a.key);
  finishWhenDone(state, run);
}

export function parkAttempt(
  state: Reference,
  a: HeldAttempt,
  { reason, forMs }: { reason: string; forMs: number },
  parked: boolean,
  clock: Clock,
): void {
  const run = leaveAttempt(state, a, { to: 'parked', reason, reply: parked });
  if (run === undefined) return;
  if (run.steps.get(a.key)!.state === 'parked') {
    run.event('step-parked', a.key, { data: { reason, forMs } });
    state.due.set(run.tag, dueMember(DUE.parked, a.key, run.id), after(clock, forMs));
  }
  finishWhenDone(state, run);
}

/** Ends an attempt uncharged; the run when that is news. `reply`: whether the script says that the step waits now. */
function leaveAttempt(
  state: Reference,
  a: HeldAttempt,
  { to, reason, reply }: { to: 'ready' | 'parked'; reason: string; reply: boolean },
): ReferenceRun | undefined {
  const what = `${to === 'ready' ? 'release' : 'park the attempt of'} ${a.key}`;
  const run = state.runs.get(a.runId);
  const step = run === undefined ? undefined : ownStep(run, a);
  if (run === undefined || step?.state !== 'running') {
    expectReply(reply, step?.state === to, what);
    if (run !== undefined && step?.state !== to && step?.state !== 'cancelled') reject(run, a);
    return undefined;
  }
  const attempt = { attempt: step.failures + 1, fence: a.fence, attemptId: a.attemptId };
  run.event('attempt-cancelled', a.key, { ...attempt, data: { reason } });
  endLease(state, run, a.key);
  const { step: index, item } = parseStepKey(a.key);
  const mapSettled = item !== undefined && run.steps.get(String(index))?.state !== 'map-running';
  if (!run.isActive || mapSettled)
    Object.assign(step, { state: 'cancelled', reason: mapSettled ? 'map-settled' : 'run-ending' });
  else if (to === 'ready') Object.assign(step, { state: 'ready' });
  else {
    Object.assign(step, { state: 'parked', reason });
    // What a step waits before its first charged attempt does not count against its retries.
    if (step.failures + step.crashes === 0) delete step.firstAt;
  }
  expectReply(reply, run.isActive && !mapSettled, what);
  return run;
}

/** How far a due or in-flight entry that a scheduler has taken is pushed out of the others' sight. */
export const TAKEN_MS = 3000;
const LOST_RECHECK_MS = 1000;

export interface ReclaimReply {
  lost: number;
  suspended: boolean;
  lookedAt: number;
  undecided: UndecidedAttempt[];
}

/** `limit` is above the number of entries, so that all that are due are looked at. */
export function reclaim(state: Reference, tag: string, crashLimit: number, reply: ReclaimReply, clock: Clock): void {
  const expected: ReclaimReply = { lost: 0, suspended: false, lookedAt: 0, undecided: [] };
  for (const member of state.lease.due(tag)) {
    expected.lookedAt += 1;
    const bar = member.lastIndexOf('|');
    const run = state.runs.get(member.slice(0, bar));
    const head = member.slice(bar + 1);
    const key = run?.chains.get(head) ?? head;
    const step = run?.steps.get(key);
    if (run === undefined || step?.state !== 'running' || step.head !== head) {
      state.lease.remove(tag, member);
      continue;
    }
    const leaseEnds = state.workers.of(tag).get(step.worker);
    const forPlan = (why: 'overdue' | 'crashes') => {
      const fenceOffset = step.fence! - run.createdAt;
      expected.undecided.push({
        why,
        key,
        runId: run.id,
        fenceOffset,
        attemptId: step.attemptId,
        definitionHash: run.plan.hash,
      });
      state.lease.set(tag, member, after(clock, TAKEN_MS));
    };
    if (leaseEnds !== undefined && leaseEnds.to > DUE_NOW) {
      if (step.overdue) forPlan('overdue');
      else state.lease.set(tag, member, { from: leaseEnds.from + 1, to: leaseEnds.to + 1 });
    } else if (step.crashes + 1 > crashLimit) {
      forPlan('crashes');
    } else {
      expected.lost += 1;
      lose(state, run, key, step, clock);
    }
  }
  expectReply(reply, expected, 'reclaim');
}

function lose(state: Reference, run: ReferenceRun, key: string, step: ReferenceStep, clock: Clock): void {
  const { failures, fence, attemptId, worker } = step;
  run.event(key.includes('!') ? 'cleanup-lost' : 'attempt-lost', key, {
    attempt: failures + 1,
    ...(fence === undefined ? {} : { fence }),
    attemptId,
    worker,
  });
  endLease(state, run, key);
  const again = run.mayGoOn(key);
  addLoss(step, worker);
  Object.assign(step, { crashes: step.crashes + 1, attemptId: '', worker: '' });
  if (again) {
    step.state = 'ready';
    sendStep(state, run, key);
    state.due.set(run.tag, dueMember(DUE.hint, key, run.id), after(clock, LOST_RECHECK_MS));
  } else {
    Object.assign(step, { state: 'cancelled', reason: 'run-ending' });
  }
  finishWhenDone(state, run);
}
