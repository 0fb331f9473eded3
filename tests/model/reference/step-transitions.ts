import {
  DUE,
  type DueLetter,
  type DueTimer,
  NO_HEADER,
  parseStepKey,
  type SettleArguments,
  STATES,
  type TakenTimer,
} from '@flotilla/state';
import { letterOf } from './attempt-transitions.ts';
import { TAKEN_MS } from './failure-transitions.ts';
import {
  after,
  type Clock,
  dueMember,
  expectReply,
  failRun,
  finishWhenDone,
  isOfOtherOpening,
  type Reference,
  sendFired,
  sendStep,
} from './reference.ts';
import type { ReferenceRun, ReferenceStep } from './reference-run.ts';
import type { Outcome } from './workflow-rules.ts';

export interface StepRef {
  runId: string;
  key: string;
  tag: string;
  opening?: number | undefined;
}

const NO_ATTEMPT: Omit<ReferenceStep, 'state'> = {
  failures: 0,
  crashes: 0,
  fence: undefined,
  attemptId: '',
  worker: '',
};

export function settle(state: Reference, a: SettleArguments, outcome: Outcome, reply: string): void {
  const what = `settle ${a.key}`;
  const run = state.runs.get(a.runId);
  if (run === undefined) {
    expectReply(reply, 'gone', what);
    return;
  }
  for (const timer of a.timers) state.due.remove(a.tag, dueMember(timer, a.key, a.runId));
  const step = run.steps.get(a.key);
  if (!run.isActive) {
    expectReply(reply, 'cancelled', what);
    return;
  }
  if (isOfOtherOpening(run, a)) {
    expectReply(reply, 'reopened', what);
    return;
  }
  if (!a.from.includes(letterOf(step))) {
    expectReply(reply, letterOf(step), what);
    return;
  }
  expectReply(reply, 'settled', what);
  if (step?.state === 'parked') state.due.remove(a.tag, dueMember(DUE.parked, a.key, a.runId));
  run.steps.set(a.key, {
    ...NO_ATTEMPT,
    ...step,
    attemptId: '',
    worker: '',
    state: a.state,
    body: a.bodyJson ?? step?.body,
    ...(a.reason === undefined ? {} : { reason: a.reason }),
    ...(a.checkpoint === undefined ? {} : { checksum: a.checkpoint.checksum }),
  });
  if (a.state === 'succeeded') run.event('step-succeeded', a.key);
  else if (a.state === 'skipped') run.event('step-skipped', a.key, { data: { reason: a.reason! } });
  else run.event('step-failed', a.key, { data: JSON.parse(a.bodyJson!) });
  begin(run);
  if (a.state === 'failed') {
    run.deadLetters.add(Number(a.key));
    failRun(run, a.failFast, a.runErrorJson!);
  }
  sendFired(state, run, run.settle(Number(a.key), outcome));
  finishWhenDone(state, run);
}

function begin(run: ReferenceRun): void {
  if (run.status === 'pending') run.status = 'running';
}

/** What refuses a step that would begin to wait, whatever it waits for. */
function refusal(run: ReferenceRun | undefined, a: StepRef): string | undefined {
  if (run === undefined) return 'gone';
  if (!run.mayGoOn(a.key)) return 'cancelled';
  return isOfOtherOpening(run, a) ? 'reopened' : undefined;
}

export function startDelay(state: Reference, a: StepRef, forMs: number, clock: Clock): void {
  const run = state.runs.get(a.runId);
  if (refusal(run, a) !== undefined || run!.steps.has(a.key)) return;
  run!.steps.set(a.key, { ...NO_ATTEMPT, fence: run!.createdAt, state: 'delaying' });
  begin(run!);
  state.due.set(a.tag, dueMember(DUE.delay, a.key, a.runId), after(clock, forMs));
}

export interface MapSettings {
  concurrency: number;
  toleratedFailures: number;
  maxSteps: number | undefined;
  definitionSteps: number;
}

/** Keeps the items; false when the map may not start any more. */
export function stageItems(state: Reference, a: StepRef, items: readonly string[], reply: string): boolean {
  const run = state.runs.get(a.runId);
  const step = run?.steps.get(a.key);
  const refused = refusal(run, a) ?? (step === undefined ? undefined : letterOf(step));
  if (refused !== undefined) {
    expectReply(reply, refused, `stage items of ${a.key}`);
    return false;
  }
  for (const [index, item] of items.entries()) run!.items.set(`${a.key}.${index}`, item);
  return true;
}

export function startMap(state: Reference, a: StepRef, items: number, settings: MapSettings, reply: string): void {
  const what = `start map ${a.key}`;
  const run = state.runs.get(a.runId);
  const step = run?.steps.get(a.key);
  const refused = refusal(run, a) ?? (step === undefined || step.state === 'map-running' ? undefined : letterOf(step));
  if (refused !== undefined || step !== undefined) {
    expectReply(reply, refused ?? 'started', what);
    return;
  }
  if (settings.maxSteps !== undefined) {
    const made = (run!.itemsMade ?? 0) + items;
    if (made + settings.definitionSteps > settings.maxSteps) {
      expectReply(reply, 'budget', what);
      return;
    }
    run!.itemsMade = made;
  }
  expectReply(reply, 'started', what);
  const next = Math.min(items, settings.concurrency);
  const map = { items, next, succeeded: 0, failed: 0, tolerated: settings.toleratedFailures };
  run!.steps.set(a.key, { ...NO_ATTEMPT, state: 'map-running', map });
  begin(run!);
  for (let item = 0; item < next; item += 1) sendStep(state, run!, `${a.key}.${item}`);
}

export function park(state: Reference, a: StepRef, reason: string, againInMs: number, clock: Clock): void {
  const run = state.runs.get(a.runId);
  if (refusal(run, a) !== undefined) return;
  const step = run!.steps.get(a.key);
  if (!STATES.unclaimed.includes(letterOf(step))) return;
  const { step: index, item, cleanup } = parseStepKey(a.key);
  if (item !== undefined && step === undefined && run!.steps.get(String(index))?.state !== 'map-running') return;
  if (cleanup === undefined && step === undefined && !run!.isReached(a.key)) return;
  state.due.set(a.tag, dueMember(DUE.parked, a.key, a.runId), after(clock, againInMs));
  state.due.remove(a.tag, dueMember(DUE.hint, a.key, a.runId));
  if (step?.state === 'parked' && step.reason === reason) return;
  run!.steps.set(a.key, { ...NO_ATTEMPT, ...step, worker: '', state: 'parked', reason });
  run!.event(a.key.includes('!') ? 'cleanup-parked' : 'step-parked', a.key, { data: { reason } });
  begin(run!);
}

export interface TakeDueReply {
  nextInMs: number | undefined;
  lookedAt: number;
  hasAttempts: boolean;
  taken: TakenTimer[];
}

/** `limit` is above the number of entries, so that all that are due are taken. */
export function takeDue(state: Reference, tag: string, reply: TakeDueReply, clock: Clock): void {
  const taken: [string, string, string][] = [];
  let lookedAt = 0;
  const due = state.due.due(tag);
  const hasLater = state.due.of(tag).size > due.length;
  for (const member of due) {
    lookedAt += 1;
    const [letter, key, runId] = member.split('|') as [string, string, string];
    if (letter !== DUE.backoff && letter !== DUE.parked) {
      taken.push([letter, key, runId]);
      state.due.set(tag, member, after(clock, TAKEN_MS));
      continue;
    }
    state.due.remove(tag, member);
    const run = state.runs.get(runId);
    const step = run?.steps.get(key);
    if (!run?.mayGoOn(key)) continue;
    if (letter === DUE.backoff && step?.state === 'backing-off') {
      Object.assign(step, { state: 'ready', attemptId: '', worker: '' });
      sendStep(state, run, key);
    } else if (letter === DUE.parked && step?.state === 'parked') {
      sendStep(state, run, key);
    }
  }
  expectReply(
    [
      ...[reply.lookedAt, reply.taken.map(({ letter, key, runId }) => [letter, key, runId])],
      ...[reply.nextInMs !== undefined, reply.hasAttempts],
    ],
    [lookedAt, taken, hasLater, state.lease.of(tag).size > 0],
    'take due',
  );
}

export function recheck(
  state: Reference,
  a: StepRef,
  againInMs: number,
  handOutAgain: boolean,
  reply: 'waiting' | 'done',
  clock: Clock,
): void {
  const member = dueMember(DUE.hint, a.key, a.runId);
  const run = state.runs.get(a.runId);
  if (!run?.mayGoOn(a.key) || !STATES.unclaimed.includes(letterOf(run.steps.get(a.key)))) {
    state.due.remove(a.tag, member);
    expectReply(reply, 'done', `recheck ${a.key}`);
    return;
  }
  expectReply(reply, 'waiting', `recheck ${a.key}`);
  state.due.set(a.tag, member, after(clock, againInMs));
  if (handOutAgain) sendStep(state, run, a.key);
}

const statesTimedBy = (letter: DueLetter) =>
  letter === DUE.totalLimit ? NO_HEADER + STATES.unsettled : STATES.unclaimed;

/** Entries of the outbox are done; timers begin, unless they run already. */
export function dispatched(
  state: Reference,
  tag: string,
  entryIds: readonly string[],
  timers: readonly DueTimer[],
  clock: Clock,
): void {
  for (const id of entryIds) {
    const at = state.outbox.findIndex((entry) => entry.tag === tag && entry.id === id);
    if (at >= 0) state.outbox.splice(at, 1);
  }
  for (const { letter, key, runId, inMs } of timers) {
    const member = dueMember(letter, key, runId);
    // The time limits of a step that has begun or settled are not set again by a repeated entry.
    const step = state.runs.get(runId)?.steps.get(key);
    if (letter !== DUE.hint && !statesTimedBy(letter).includes(letterOf(step))) continue;
    if (!state.due.of(tag).has(member)) state.due.writeNow(tag, member, after(clock, inMs));
  }
}
