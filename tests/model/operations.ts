import { NO_HEADER, STATES, type StepKey } from '@flotilla/state';
import fc from 'fast-check';
import * as attemptCalls from './attempt-calls.ts';
import * as cleanupCalls from './cleanup-calls.ts';
import { isCleanup } from './cleanup-calls.ts';
import { createRun, mayCreate } from './create-run.ts';
import { DUE_NOW } from './reference/gathered-index.ts';
import { LEASE_MS } from './reference/reference.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import { decide } from './reference/workflow-rules.ts';
import * as runCalls from './run-calls.ts';
import { openingOf, type Relayed, reclaim, relayEntry, startStep, takeDue } from './scheduler-actor.ts';
import * as stepCalls from './step-calls.ts';
import { type Call, call, type KnownAttempt, type World } from './world.ts';

/** How often each kind of move is made. Most of them carry runs forward, or sequences would end before anything happened. */
const WEIGHTS = {
  relay: 16,
  claim: 16,
  commit: 12,
  fail: 6,
  reclaim: 4,
  due: 4,
  'save-progress': 3,
  release: 2,
  'park-attempt': 2,
  'register-cleanup': 4,
  'end-cleanup': 8,
  'expire-cleanup': 1,
  renew: 2,
  'force-fail': 1,
  'load-progress': 1,
  'report-corruption': 1,
  'start-again': 2,
  park: 2,
  'hand-back': 2,
  recheck: 2,
  leave: 1,
  'lose-hints': 1,
  create: 1,
  cancel: 1,
  pause: 2,
  resume: 2,
  'time-out': 1,
  'fail-run': 1,
  finish: 1,
  retry: 4,
  discard: 2,
  prune: 1,
} as const;

type Kind = keyof typeof WEIGHTS;

/** A move of some scheduler, worker or user. The numbers choose among what is there when its turn comes. */
export interface Operation {
  kind: Kind;
  a: number;
  b: number;
  c: number;
  /** Made in one script call with the next one. */
  grouped: boolean;
  /** Asked again at once: the answer was lost. */
  repeated: boolean;
}

export const operationArbitrary: fc.Arbitrary<Operation> = fc.record({
  kind: fc.oneof(
    ...Object.entries(WEIGHTS).map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind as Kind) })),
  ),
  a: fc.nat(1000),
  b: fc.nat(1000),
  c: fc.nat(1000),
  grouped: fc.nat(3).map((n) => n === 3),
  repeated: fc.nat(3).map((n) => n === 3),
});

const WORKERS = ['w1', 'w2', 'w3'] as const;

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list.length === 0 ? undefined : list[at % list.length];
}

/** Rare kinds of an end are made rarer, or most sequences would end before anything has happened. */
const seldom = (n: number) => n % 3 === 0;

/** The calls that an operation makes now. None when there is nothing that it could be about. */
export async function callsOf(world: World, { kind, a, b, c }: Operation): Promise<Call[]> {
  const { reference } = world;
  const run = pick(world.runs, a);
  switch (kind) {
    case 'relay': {
      const entry = pick(reference.outbox, a);
      if (entry === undefined) return [];
      const relayed = relayEntry(world, entry, c);
      // Killed before it acknowledged: the entry is handled again.
      return b % 6 === 0
        ? relayed.calls
        : [...relayed.calls, stepCalls.dispatched(world, entry.tag, [entry.id], relayed.timers)];
    }
    case 'claim':
      return claims(world, a, b, c);
    case 'commit': {
      const known = pickAttempt(world, a, b);
      if (known === undefined) return [];
      const options = { mayContinue: b % 3 > 0, fenceShift: fenceShift(c), foreignAttemptId: c % 16 === 2 };
      return [attemptCalls.commit(world, known, options)];
    }
    case 'fail': {
      const known = pickAttempt(world, a, b);
      const ends = ['retry', 'retry', 'retry', 'final', 'timed-out', 'quarantine', 'died-alone'] as const;
      return known === undefined ? [] : [attemptCalls.fail(world, known, pick(ends, b)!, fenceShift(c))];
    }
    case 'release': {
      const known = pickAttempt(world, a, b);
      return known === undefined ? [] : [attemptCalls.release(world, known, fenceShift(c))];
    }
    case 'park-attempt': {
      const known = pickAttempt(world, a, b);
      return known === undefined ? [] : [attemptCalls.parkAttempt(world, known, fenceShift(c))];
    }
    case 'register-cleanup': {
      const known = pickAttempt(world, a, b);
      return known === undefined ? [] : [cleanupCalls.registerCleanup(world, known, b % 3, fenceShift(c))];
    }
    case 'end-cleanup': {
      const known = pickAttempt(world, a, b, true);
      const ends = ['succeeded', 'succeeded', 'retried', 'failed', 'released', 'parked'] as const;
      return known === undefined ? [] : [cleanupCalls.endCleanup(world, known, pick(ends, b)!, fenceShift(c))];
    }
    case 'expire-cleanup': {
      const key = run === undefined ? undefined : pick(cleanupKeys(run), b);
      return key === undefined ? [] : [cleanupCalls.expireCleanup(world, run!, key)];
    }
    case 'save-progress': {
      const known = pickAttempt(world, a, b);
      return known === undefined ? [] : [attemptCalls.saveProgress(world, known, fenceShift(c))];
    }
    case 'load-progress': {
      const known = pickAttempt(world, a, b);
      return known === undefined ? [] : [attemptCalls.loadProgress(world, known)];
    }
    case 'report-corruption': {
      const known = pickAttempt(world, a, b);
      return known === undefined ? [] : [attemptCalls.reportCorruption(world, known.run, known.key)];
    }
    case 'reclaim':
      return reclaimNow(world, a, b, c);
    case 'due':
      return takeDueNow(world, a, b, c);
    case 'force-fail': {
      const key = run === undefined ? undefined : pick(handedOut(run), b);
      return key === undefined
        ? []
        : [attemptCalls.forceFail(world, run!, key, pick([STATES.unclaimed, NO_HEADER + STATES.unsettled], c)!)];
    }
    case 'start-again':
      return run === undefined ? [] : startAgain(world, run, b, c);
    case 'park': {
      // Also by a hint of an earlier opening, whose needs are made anew.
      const key = run === undefined ? undefined : pick([...handedOut(run), ...workKeys(run), ...cleanupKeys(run)], b);
      return key === undefined ? [] : [stepCalls.park(world, run!, key, pick(['no-handler', 'breaker-open'], c)!)];
    }
    case 'hand-back': {
      const keys =
        run === undefined ? [] : [...handedOut(run), ...cleanupKeys(run)].filter((_, index) => (b >> index) % 2 === 0);
      return keys.length === 0 ? [] : [stepCalls.handBack(world, run!, keys)];
    }
    case 'recheck': {
      const key = run === undefined ? undefined : pick([...handedOut(run), ...cleanupKeys(run)], b);
      return key === undefined ? [] : [stepCalls.recheck(world, run!, key, c % 2 === 0)];
    }
    case 'renew':
      return [renew(world, pick(world.tags, a)!, pick(WORKERS, b)!)];
    case 'leave':
      return [leave(world, pick(world.tags, a)!, pick(WORKERS, b)!)];
    case 'lose-hints':
      world.hints = world.hints.filter((_, index) => (a >> index) % 2 === 0);
      return [];
    case 'create': {
      const submission = pick(world.submissions, a)!;
      return mayCreate(world, submission) ? [createRun(world, submission, { otherBody: b % 3 === 0 })] : [];
    }
    case 'cancel':
      return run === undefined || !seldom(b) ? [] : [runCalls.cancelRun(world, run)];
    case 'pause':
      return run === undefined ? [] : [runCalls.pauseOrResume(world, run, 'pause-run')];
    case 'resume':
      return run === undefined ? [] : [runCalls.pauseOrResume(world, run, 'resume-run')];
    case 'time-out':
      return run === undefined || !seldom(b) ? [] : [runCalls.timeOutRun(world, run)];
    case 'fail-run':
      return run === undefined || !seldom(b) ? [] : [runCalls.failRun(world, run)];
    case 'finish':
      return run === undefined ? [] : [runCalls.finishRun(world, run, b % 2 === 0)];
    case 'retry':
      return run === undefined ? [] : [retry(world, run, b, c)];
    case 'discard': {
      // At times one that is none.
      if (run === undefined) return [];
      const step = pick([...run.deadLetters, c % run.plan.steps.length], b)!;
      return [runCalls.discardDeadLetters(world, run, [step], c % 3 === 0 ? run.opening - (b % 2) : undefined)];
    }
    case 'prune':
      return run === undefined || !seldom(b) ? [] : [runCalls.pruneRun(world, run)];
  }
}

const fenceShift = (c: number) => (c % 16 === 0 ? -1 : c % 16 === 1 ? 1 : 0);

/** Mostly an attempt that runs, at times one that its worker only believes to run. */
function pickAttempt(world: World, a: number, b: number, ofCleanup = false): KnownAttempt | undefined {
  const all = [...world.attempts.values()].filter(({ key }) => isCleanup(key) === ofCleanup);
  const live = all.filter(({ run, key, attemptId }) => {
    const step = run.steps.get(key);
    return step?.state === 'running' && step.attemptId === attemptId;
  });
  return b % 5 === 4 ? pick(all, a) : (pick(live, a) ?? pick(all, a));
}

function claims(world: World, a: number, b: number, c: number): Call[] {
  const worker = pick(WORKERS, c)!;
  const overdue = c % 9 === 8;
  if (b % 20 === 8) {
    // A cleanup whose turn it may not be.
    const run = pick(world.runs, a);
    const key = run === undefined ? undefined : pick(cleanupKeys(run), c);
    if (key !== undefined) return [cleanupCalls.claimCleanup(world, run!, key, worker, overdue)];
  }
  if (b % 10 === 9) {
    // A hint that nobody gave: a step whose needs have not settled, an item that is not on.
    const run = pick(world.runs, a);
    if (run === undefined) return [];
    const keys = run.plan.steps.flatMap(({ index, kind, group }) => [
      ...(kind !== 'task' || run.hasFired(group) ? [] : [String(index)]),
      ...(kind === 'map' ? [`${index}.${c % 6}`] : []),
    ]);
    const key = pick(keys, c);
    return key === undefined ? [] : [attemptCalls.claim(world, run, key, worker, overdue)];
  }
  const hint = pick(world.hints, a);
  if (hint === undefined || world.reference.runs.get(hint.run.id) !== hint.run) return [];
  // At times a hint is delivered twice.
  if (b % 4 !== 0) world.hints = world.hints.filter((other) => other !== hint);
  const claim = isCleanup(hint.key) ? cleanupCalls.claimCleanup : attemptCalls.claim;
  return [claim(world, hint.run, hint.key, worker, overdue)];
}

/** Steps and items that were, or could have been, given to workers. */
function handedOut(run: ReferenceRun): StepKey[] {
  const keys: StepKey[] = [];
  for (const { index, group, work, map } of run.plan.steps) {
    if (work === undefined || !run.hasFired(group)) continue;
    if (map === undefined) {
      if (decide(run.rules.groups[group]!, run.tally(group)) === 'run' && run.outcomes.get(index) !== 'skipped')
        keys.push(String(index));
    } else {
      for (let item = 0; run.isReached(`${index}.${item}`); item += 1) keys.push(`${index}.${item}`);
    }
  }
  return keys;
}

/** All steps of a run that workers make, and two items of each map, whether or not they may begin. */
function workKeys({ plan }: ReferenceRun): StepKey[] {
  return plan.steps.flatMap(({ index, work, map }) => {
    if (work === undefined) return [];
    return map === undefined ? [String(index)] : [`${index}.0`, `${index}.1`];
  });
}

/** All cleanups of a run, whether or not it is their turn. */
function cleanupKeys(run: ReferenceRun): StepKey[] {
  return run.cleanups.map(({ stepKey }, number) => `${stepKey}!${number}`);
}

/** A relay that repeats itself after a crash: everything of a fired group once more. */
function startAgain(world: World, run: ReferenceRun, b: number, c: number): Call[] {
  const step = pick(run.plan.steps, b)!;
  if (!world.decisions.has(`${run.id}|fate ${step.index}`) || !run.hasFired(step.group)) return [];
  const relayed: Relayed = { calls: [], timers: [] };
  const joined = openingOf(run, decide(run.rules.groups[step.group]!, run.tally(step.group)));
  startStep(world, run, step.index, joined, c, relayed);
  return relayed.calls;
}

async function reclaimNow(world: World, a: number, b: number, c: number): Promise<Call[]> {
  const tag = pick(world.tags, a)!;
  const dead = WORKERS.filter((_, index) => (b >> index) % 2 === 0);
  const known = world.reference.workers.of(tag);
  await world.makeDue(
    'workers',
    tag,
    dead.filter((worker) => known.has(worker)),
  );
  const entries = [...world.reference.lease.of(tag).keys()].filter((_, index) => (c >> index) % 2 === 0);
  await world.makeDue('lease', tag, entries);
  return [reclaim(world, tag, { dies: b % 7 === 6 })];
}

async function takeDueNow(world: World, a: number, b: number, c: number): Promise<Call[]> {
  const tag = pick(world.tags, a)!;
  const entries = [...world.reference.due.of(tag)].filter(([, { to }]) => to !== DUE_NOW).map(([member]) => member);
  await world.makeDue(
    'due',
    tag,
    entries.filter((_, index) => (c >> (index % 10)) % 2 === 0),
  );
  return [takeDue(world, tag, { dies: b % 4 === 0, handsOut: b % 2 === 0 })];
}

export function renew(world: World, tag: string, worker: string): Call {
  return call({
    what: `renew ${worker} in ${tag}`,
    send: () => world.state.transitions.renew(tag, worker, 0),
    apply: (reply, clock) => {
      const { from, to } = clock;
      // Workers that ended without leaving are forgotten after an hour.
      for (const gone of world.reference.workers.due(tag)) world.reference.workers.deleteNow(tag, gone);
      world.reference.workers.set(tag, worker, { from: from + LEASE_MS, to: to + LEASE_MS });
      const ending = world.endingBefore(tag);
      if ([...reply.ending].sort().join() !== ending.join()) {
        throw new Error(`ending are ${reply.ending.join()}, expected ${ending.join()}`);
      }
    },
    equivalent: () => true,
  });
}

function leave(world: World, tag: string, worker: string): Call {
  return call({
    what: `leave ${worker} in ${tag}`,
    send: () => world.state.transitions.leave(tag, worker),
    apply: () => world.reference.workers.remove(tag, worker),
  });
}

/** Of an ended run, mostly; now and then only of one failed step, from a step on, or of an end that somebody saw before. */
function retry(world: World, run: ReferenceRun, b: number, c: number): Call {
  const failed = run.plan.steps.filter(({ index }) => run.outcomes.get(index) === 'failed');
  const one = pick(failed, c);
  const selection = {
    ...(b % 5 === 1 && one !== undefined ? { only: [one.index] } : {}),
    ...(b % 5 === 2 ? { from: c % run.plan.steps.length } : {}),
  };
  return runCalls.retryRun(world, run, selection, b % 4 === 0 ? run.opening - (c % 2) : undefined);
}
