import type { CleanupEnd, StepKey } from '@flotilla/state';
import { addressOf, errorJson } from './attempt-calls.ts';
import { FAR_MS } from './random-workflow.ts';
import * as cleanups from './reference/cleanup-transitions.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import { type Call, call, type KnownAttempt, type World } from './world.ts';

/** The calls that workers and schedulers make of compensations and registered cleanups. */

export function isCleanup(key: StepKey): boolean {
  return key.includes('!');
}

export function registerCleanup(world: World, known: KnownAttempt, which: number, fenceShift = 0): Call {
  const { run, key, attemptId } = known;
  const a = { ...addressOf(run, key), fence: known.fence + fenceShift, createdAt: run.createdAt, attemptId };
  const registration = {
    use: 'free',
    inputJson: JSON.stringify({ seat: `|${which}`, what: '🚀\n' }),
    digest: `d${which}`,
  };
  return call({
    what: `register cleanup ${which} of ${run.id} ${key} by ${attemptId}`,
    send: () => world.state.transitions.registerCleanup(a, registration),
    apply: (reply) => cleanups.registerCleanup(world.reference, a, registration, reply),
  });
}

export function claimCleanup(world: World, run: ReferenceRun, key: StepKey, worker: string, overdue: boolean): Call {
  const attemptId = world.newAttemptId();
  const a = { ...addressOf(run, key), attemptId, worker, attemptMs: overdue ? -FAR_MS : FAR_MS };
  return call({
    what: `claim cleanup ${run.id} ${key} by ${worker} as ${attemptId}`,
    send: () => world.state.transitions.claimCleanup(addressOf(run, key), a),
    apply: (reply, clock) => {
      cleanups.claimCleanup(world.reference, a, reply, clock);
      if ('claimed' in reply)
        world.attempts.set(attemptId, { run, key, attemptId, fence: reply.claimed.fence, worker });
    },
    equivalent: (first, second) => 'refused' in first === 'refused' in second,
  });
}

export type CleanupFate = CleanupEnd['becomes'];

export function endCleanup(world: World, known: KnownAttempt, becomes: CleanupFate, fenceShift = 0): Call {
  const { run, attemptId } = known;
  const attempt = { fence: known.fence + fenceShift, createdAt: run.createdAt, attemptId };
  return endCall(world, run, known.key, { attempt, ...endOf(becomes) });
}

/** The time of a cleanup is over, whoever makes it. */
export function expireCleanup(world: World, run: ReferenceRun, key: StepKey): Call {
  return endCall(world, run, key, endOf('failed'));
}

function endOf(becomes: CleanupFate): CleanupEnd {
  if (becomes === 'succeeded') return { becomes };
  if (becomes === 'released') return { becomes, dataJson: '{"reason":"drain"}' };
  if (becomes === 'parked') return { becomes, dataJson: '{"reason":"breaker:model"}', retryInMs: FAR_MS };
  return { becomes, dataJson: errorJson, ...(becomes === 'retried' ? { retryInMs: FAR_MS } : {}) };
}

function endCall(world: World, run: ReferenceRun, key: StepKey, end: CleanupEnd): Call {
  return call<boolean>({
    what: `end cleanup ${run.id} ${key} ${end.attempt?.attemptId ?? 'whoever makes it'}: ${end.becomes}`,
    send: () => world.state.transitions.endCleanup(addressOf(run, key), end),
    apply: (reply, clock) => cleanups.endCleanup(world.reference, { runId: run.id, key }, end, reply, clock),
    silent: (reply) => reply,
    // One that the scheduler has ended answers the second time that it is over.
    equivalent: (first, second) => first === second || end.attempt === undefined,
  });
}
