import assert from 'node:assert/strict';
import { type ClaimedCleanup, type CleanupEnd, DUE, ENDING, type StepKey } from '@flotilla/state';
import { letterOf, ownStep } from './attempt-transitions.ts';
import {
  after,
  type Clock,
  dueMember,
  endLease,
  expectReply,
  LEASE_MS,
  leaseMember,
  nextCleanup,
  type Reference,
  sendStep,
} from './reference.ts';
import type { ReferenceRun, ReferenceStep } from './reference-run.ts';

interface AttemptRef {
  runId: string;
  key: StepKey;
  fence: number;
  attemptId: string;
}

export function registerCleanup(
  state: Reference,
  a: AttemptRef,
  { use, inputJson, digest }: { use: string; inputJson: string; digest: string },
  reply: number | undefined,
): void {
  const what = `register a cleanup of ${a.key}`;
  const run = state.runs.get(a.runId);
  const step = run === undefined ? undefined : ownStep(run, a);
  if (run === undefined || step?.state !== 'running') {
    expectReply(reply, undefined, what);
    return;
  }
  const known = run.cleanups.findIndex((other) => other.stepKey === a.key && other.digest === digest);
  expectReply(reply, known < 0 ? run.cleanups.length : known, what);
  if (known >= 0) return;
  run.registerCleanup({ stepKey: a.key, use, inputJson, digest });
  const key = `${a.key}!${run.cleanups.length - 1}`;
  run.event('cleanup-registered', key, {
    attempt: step.failures + 1,
    fence: a.fence,
    attemptId: a.attemptId,
    data: { use },
  });
}

export interface CleanupClaim {
  runId: string;
  tag: string;
  key: StepKey;
  attemptId: string;
  worker: string;
  attemptMs: number;
}

export function claimCleanup(
  state: Reference,
  a: CleanupClaim,
  reply: ClaimedCleanup | { refused: string },
  clock: Clock,
): void {
  const run = state.runs.get(a.runId);
  const refuse = (why: string, forgetHint: boolean) => {
    if (forgetHint) state.due.remove(a.tag, dueMember(DUE.hint, a.key, a.runId));
    expectReply(reply, { refused: why }, `claim ${a.key}`);
  };
  if (run === undefined) {
    refuse('gone', true);
    return;
  }
  const before = run.steps.get(a.key);
  const repeated = before?.state === 'running' && before.attemptId === a.attemptId;
  if (!repeated) {
    if (!run.mayGoOn(a.key)) {
      refuse('settled', true);
      return;
    }
    if (before?.state === 'running') {
      refuse('leased', false);
      return;
    }
    if (before?.state === 'backing-off') {
      refuse('not-due', true);
      return;
    }
  }
  assert.ok('claimed' in reply, `claim ${a.key}: expected to be granted, not ${JSON.stringify(reply)}`);
  const { claimed, step: own, ending } = reply;
  if (!repeated) {
    const now = claimed.claimedAt;
    assert.ok(now >= clock.from && now <= clock.to, 'an attempt starts on the clock of Redis');
    assert.equal(
      claimed.fence,
      Math.max(now, (before?.fence ?? 0) + 1),
      'the fence is the time, or one above the last',
    );
    const { failures = 0, crashes = 0 } = before ?? {};
    run.steps.set(a.key, {
      ...before,
      ...{ state: 'running', failures, crashes, fence: claimed.fence, attemptId: a.attemptId, worker: a.worker },
      ...{ firstAt: before?.firstAt ?? now, head: a.key, overdue: a.attemptMs < 0 },
    });
    const { fence } = claimed;
    run.event('cleanup-started', a.key, { attempt: failures + 1, fence, attemptId: a.attemptId, worker: a.worker });
    state.lease.set(run.tag, leaseMember(run, a.key), after(clock, LEASE_MS));
    state.due.remove(a.tag, dueMember(DUE.hint, a.key, a.runId));
  }
  const now = run.steps.get(a.key)!;
  const stepKey = a.key.split('!')[0]!;
  const { fence, failures, crashes, firstAt, inputJson, itemJson } = claimed;
  assert.deepEqual(
    { fence, failures, crashes, firstAt, inputJson, itemJson },
    {
      ...{ fence: now.fence, failures: now.failures, crashes: now.crashes, firstAt: now.firstAt },
      ...{ inputJson: '{"n":1}', itemJson: run.items.get(stepKey) ?? '' },
    },
  );
  const step = run.steps.get(stepKey);
  assert.deepEqual([own.header.slice(0, 1), own.output], [letterOf(step), step?.body ?? '']);
  const kind = { failed: ENDING.failed, cancelled: ENDING.cancelled, 'timed-out': ENDING.timedOut }[run.ending!.status];
  assert.equal(ending, `${kind}|${run.ending!.error}`);
}

const STATE_AFTER = {
  succeeded: 'succeeded',
  failed: 'failed',
  retried: 'backing-off',
  released: 'ready',
  parked: 'parked',
} as const;

export function endCleanup(
  state: Reference,
  a: { runId: string; key: StepKey },
  end: CleanupEnd,
  reply: boolean,
  clock: Clock,
): void {
  const what = `end cleanup ${a.key}`;
  const run = state.runs.get(a.runId);
  if (run === undefined) {
    expectReply(reply, false, what);
    return;
  }
  const { attempt, becomes } = end;
  let step = run.steps.get(a.key);
  if (attempt === undefined) {
    if (!run.mayGoOn(a.key)) {
      expectReply(reply, false, what);
      return;
    }
    step ??= fresh(run, a.key);
  } else {
    const own = ownStep(run, { key: a.key, ...attempt });
    if (own?.state !== 'running' || !run.mayGoOn(a.key)) {
      expectReply(reply, own?.state === STATE_AFTER[becomes], what);
      if (own?.state !== STATE_AFTER[becomes]) {
        const data = { reason: 'superseded', state: step === undefined ? 'none' : letterOf(step) };
        run.event('cleanup-rejected', a.key, { fence: attempt.fence, attemptId: attempt.attemptId, data });
      }
      return;
    }
  }
  expectReply(reply, true, what);
  change(state, run, a.key, step!, end, clock);
}

function change(
  state: Reference,
  run: ReferenceRun,
  key: StepKey,
  step: ReferenceStep,
  { becomes, dataJson, retryInMs }: CleanupEnd,
  clock: Clock,
): void {
  const wasRunning = step.state === 'running';
  const { fence, attemptId } = step;
  const about = {
    ...(wasRunning ? { attempt: step.failures + 1 } : {}),
    ...(fence === undefined ? {} : { fence }),
    attemptId,
  };
  const data: unknown = dataJson === undefined ? undefined : JSON.parse(dataJson);
  const told = becomes === 'retried' ? { delayMs: retryInMs, error: data } : data;
  // Its attempt ends uncharged, and then it waits.
  run.event(`cleanup-${becomes === 'parked' ? 'released' : becomes}`, key, {
    ...about,
    ...(told === undefined ? {} : { data: told as never }),
  });
  if (wasRunning) endLease(state, run, key);
  if (wasRunning && (becomes === 'failed' || becomes === 'retried')) step.failures += 1;
  if (becomes === 'failed' || becomes === 'retried') step.body = dataJson;
  if (becomes === 'succeeded') step.body = undefined;
  step.state = STATE_AFTER[becomes];
  for (const letter of 'qbp') state.due.remove(run.tag, dueMember(letter, key, run.id));
  if (becomes === 'retried') {
    state.due.set(run.tag, dueMember(DUE.backoff, key, run.id), after(clock, retryInMs!));
  } else if (becomes === 'released') {
    sendStep(state, run, key);
  } else if (becomes === 'parked') {
    const { reason } = data as { reason: string };
    step.reason = reason;
    if (step.failures + step.crashes === 0) delete step.firstAt;
    run.event('cleanup-parked', key, { data: { reason, forMs: retryInMs! } });
    state.due.set(run.tag, dueMember(DUE.parked, key, run.id), after(clock, retryInMs!));
  } else {
    state.due.remove(run.tag, dueMember(DUE.totalLimit, key, run.id));
    run.cleanupsLeft -= 1;
    if (becomes === 'failed') run.cleanupsFailed += 1;
    nextCleanup(state, run);
  }
}

function fresh(run: ReferenceRun, key: StepKey): ReferenceStep {
  const step: ReferenceStep = {
    ...{ state: 'ready', failures: 0, crashes: 0, fence: undefined, attemptId: '', worker: '' },
  };
  run.steps.set(key, step);
  return step;
}
