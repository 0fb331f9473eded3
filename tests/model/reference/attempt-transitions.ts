import assert from 'node:assert/strict';
import {
  type ClaimArguments,
  type ClaimReply,
  type CommitArguments,
  type CommitReply,
  DUE,
  parseStepKey,
  STEP,
  type StepKey,
} from '@flotilla/state';
import { countItem } from './map-items.ts';
import {
  after,
  type Clock,
  dueMember,
  endLease,
  expectReply,
  finishWhenDone,
  LEASE_MS,
  leaseMember,
  type Reference,
  sendFired,
  sendStep,
} from './reference.ts';
import type { ReferenceRun, ReferenceStep } from './reference-run.ts';

/** Stored letter of a step's state, as `attempt-rejected` events name it. */
const LETTERS: Record<ReferenceStep['state'], string> = {
  running: STEP.running,
  'backing-off': STEP.backingOff,
  ready: STEP.ready,
  parked: STEP.parked,
  succeeded: STEP.succeeded,
  failed: STEP.failed,
  quarantined: STEP.quarantined,
  cancelled: STEP.cancelled,
  skipped: STEP.skipped,
  delaying: STEP.delaying,
  'map-running': STEP.mapRunning,
  'map-succeeded': STEP.mapSucceeded,
};

export function letterOf(step: ReferenceStep | undefined): string {
  return step === undefined ? '-' : LETTERS[step.state];
}

export interface AttemptRef {
  key: StepKey;
  fence: number;
  attemptId: string;
}

/** The step, when the attempt is the last one made of it. */
export function ownStep(run: ReferenceRun, { key, fence, attemptId }: AttemptRef): ReferenceStep | undefined {
  const step = run.steps.get(key);
  return step !== undefined && step.attemptId === attemptId && step.fence === fence ? step : undefined;
}

/** A result that comes too late is refused and recorded. */
export function reject(run: ReferenceRun, { key, fence, attemptId }: AttemptRef): void {
  const step = run.steps.get(key);
  const state = step === undefined ? 'none' : letterOf(step);
  run.event('attempt-rejected', key, { fence, attemptId, data: { reason: 'superseded', state } });
}

type Claimed = Extract<ClaimReply, { claimed: unknown }>['claimed'];

function startAttempt(
  state: Reference,
  run: ReferenceRun,
  { key, attemptId, worker, attemptMs }: { key: StepKey; attemptId: string; worker: string; attemptMs: number },
  claimed: Claimed,
  head: StepKey,
  clock: Clock,
): void {
  const before = run.steps.get(key);
  const now = claimed.claimedAt;
  assert.ok(now >= clock.from && now <= clock.to, 'an attempt starts on the clock of Redis');
  assert.equal(claimed.fence, Math.max(now, (before?.fence ?? 0) + 1), 'the fence is the time, or one above the last');
  const firstAt = before?.firstAt ?? now;
  const { failures = 0, crashes = 0 } = before ?? {};
  run.steps.set(key, {
    state: 'running',
    failures,
    crashes,
    fence: claimed.fence,
    attemptId,
    worker,
    firstAt,
    head,
    overdue: attemptMs < 0,
    body: before?.body,
    ...(before?.lostWith === undefined ? {} : { lostWith: before.lostWith }),
  });
  run.event('attempt-started', key, { attempt: failures + 1, fence: claimed.fence, attemptId, worker });
  if (run.status === 'pending') run.status = 'running';
  if (head === key) state.lease.set(run.tag, leaseMember(run, key), after(clock, LEASE_MS));
  else run.chains.set(head, key);
}

/** What an attempt is told of itself and of what it reads. */
function checkClaimed(
  run: ReferenceRun,
  key: StepKey,
  claimed: Claimed,
  { sources, wantsInput }: { sources: readonly StepKey[]; wantsInput: boolean },
): void {
  const step = run.steps.get(key)!;
  assert.equal(claimed.createdAt, run.createdAt);
  assert.equal(claimed.failures, step.failures, 'failures of the step');
  assert.equal(claimed.crashes, step.crashes, 'crashes of the step');
  assert.equal(claimed.firstAt, step.firstAt, 'first attempt of the step');
  assert.equal(claimed.inputJson, wantsInput ? '{"n":1}' : '');
  assert.deepEqual(
    claimed.sources.map(({ key: source, header, output }) => [source, header.slice(0, 1), output]),
    sources.map((source) => [
      source,
      letterOf(run.steps.get(source)).replace('-', ''),
      run.steps.get(source)?.body ?? '',
    ]),
  );
}

export function claim(state: Reference, a: ClaimArguments, reply: ClaimReply, clock: Clock): void {
  const run = state.runs.get(a.runId);
  const refuse = (why: string, forgetHint: boolean) => {
    if (forgetHint) state.due.remove(a.tag, dueMember(DUE.hint, a.key, a.runId));
    expectReply(reply, { refused: why }, `claim ${a.key}`);
  };
  if (run === undefined) {
    refuse('gone', true);
    return;
  }
  const step = run.steps.get(a.key);
  const repeated = step?.state === 'running' && step.attemptId === a.attemptId;
  if (!repeated) {
    if (!run.isActive) {
      refuse('cancelled', true);
      return;
    }
    if (step?.state === 'running') {
      refuse('leased', false);
      return;
    }
    if (step?.state === 'backing-off') {
      refuse('not-due', true);
      return;
    }
    if (step !== undefined && step.state !== 'ready' && step.state !== 'parked') {
      refuse('settled', true);
      return;
    }
    const { step: index, item } = parseStepKey(a.key);
    const map = item === undefined ? undefined : run.steps.get(String(index));
    if (item !== undefined && map?.state !== 'map-running') {
      refuse('settled', true);
      return;
    }
    if (step === undefined && !run.isReached(a.key)) {
      refuse('not-due', false);
      return;
    }
    if (run.status === 'paused') {
      run.held.add(a.key);
      refuse('paused', true);
      return;
    }
  }
  assert.ok('claimed' in reply, `claim ${a.key}: expected to be granted, not ${JSON.stringify(reply)}`);
  const { claimed } = reply;
  if (!repeated) {
    startAttempt(state, run, a, claimed, a.key, clock);
    state.due.remove(a.tag, dueMember(DUE.hint, a.key, a.runId));
    if (a.hasQueuedTimer) state.due.remove(a.tag, dueMember(DUE.queuedLimit, a.key, a.runId));
  }
  assert.equal(claimed.fence, run.steps.get(a.key)!.fence, 'fence of the attempt');
  assert.equal(claimed.itemJson, parseStepKey(a.key).item === undefined ? '' : run.items.get(a.key));
  checkClaimed(run, a.key, claimed, a);
}

export function commit(state: Reference, a: CommitArguments, reply: CommitReply, clock: Clock): void {
  const what = `commit ${a.key}`;
  const rejected = (reason: string) => expectReply(reply, { outcome: 'rejected', reason }, what);
  const run = state.runs.get(a.runId);
  if (run === undefined) {
    rejected('gone');
    return;
  }
  const step = ownStep(run, a);
  if (step?.state === 'succeeded') {
    checkRepeatedCommit(run, a, reply);
    return;
  }
  if (step?.state === 'cancelled' && step.reason === 'map-settled') {
    rejected('map-settled');
    return;
  }
  if (step?.state !== 'running') {
    reject(run, a);
    rejected('superseded');
    return;
  }
  const attempt = { attempt: step.failures + 1, fence: a.fence, attemptId: a.attemptId };
  const { step: index, item } = parseStepKey(a.key);
  const map = item === undefined ? undefined : run.steps.get(String(index));
  if (item !== undefined && map?.state !== 'map-running') {
    endLease(state, run, a.key);
    Object.assign(step, { state: 'cancelled', reason: 'map-settled' });
    run.event('attempt-cancelled', a.key, attempt);
    finishWhenDone(state, run);
    rejected('map-settled');
    return;
  }
  const head = step.head ?? a.key;
  Object.assign(step, { state: 'succeeded', body: a.outputJson, checksum: a.checkpoint.checksum });
  run.event('attempt-succeeded', a.key, attempt);
  run.event('step-succeeded', a.key, attempt);
  if (a.hasTotalTimer) state.due.remove(a.tag, dueMember(DUE.totalLimit, a.key, a.runId));
  if (a.compensated) run.registerCleanup({ stepKey: a.key });

  const mayContinue = a.nextAttemptId !== undefined && run.status === 'running';
  const attemptId = a.nextAttemptId ?? '';
  let next: { key: StepKey; attemptId: string; attemptMs: number; announce: number | undefined } | undefined;
  let fired: number[] = [];
  if (item === undefined) {
    fired = run.settle(index, 'succeeded');
  } else {
    const counted = countItem(run, index, true);
    if (counted.outcome === 'succeeded') fired = run.settle(index, 'succeeded');
    if (counted.nextItem !== undefined) {
      const attemptMs = a.nextItemAttemptMs;
      if (mayContinue && attemptMs !== undefined)
        next = { key: counted.nextItem, attemptId, attemptMs, announce: undefined };
      else sendStep(state, run, counted.nextItem);
    }
  }
  const [only] = fired;
  const edge = fired.length === 1 ? a.edges.find(({ group }) => group === only) : undefined;
  if (mayContinue && edge?.next !== undefined && run.tally(only!).failed === 0) {
    next = { ...edge.next, attemptId, announce: only };
    run.announceReady(only!);
  } else {
    sendFired(state, run, fired);
  }
  if (next === undefined) {
    state.lease.remove(run.tag, leaseMember(run, head));
    if (head !== a.key) run.chains.delete(head);
    finishWhenDone(state, run);
    expectReply(reply, { outcome: 'committed' }, what);
    return;
  }
  assert.ok(reply.outcome === 'continued', `${what}: expected to go on with ${next.key}, not ${JSON.stringify(reply)}`);
  assert.equal(reply.key, next.key);
  startAttempt(state, run, { ...next, worker: a.worker }, reply.attempt, head, clock);
  checkContinued(run, a, next.key, reply.attempt);
}

function checkContinued(run: ReferenceRun, a: CommitArguments, key: StepKey, attempt: Claimed): void {
  assert.equal(attempt.itemJson, parseStepKey(key).item === undefined ? '' : run.items.get(key));
  checkClaimed(run, key, attempt, a);
}

/** A commit whose answer was lost finds what it claimed the first time. */
function checkRepeatedCommit(run: ReferenceRun, a: CommitArguments, reply: CommitReply): void {
  const running = [...run.steps].find(
    ([, step]) => step.state === 'running' && a.nextAttemptId !== undefined && step.attemptId === a.nextAttemptId,
  );
  if (running === undefined) {
    expectReply(reply, { outcome: 'committed' }, `repeated commit ${a.key}`);
    return;
  }
  const [key, step] = running;
  assert.ok(reply.outcome === 'continued', `repeated commit ${a.key}: expected to go on with ${key}`);
  assert.equal(reply.key, key);
  assert.equal(reply.attempt.fence, step.fence);
  checkContinued(run, a, key, reply.attempt);
}
