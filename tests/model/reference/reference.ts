import assert from 'node:assert/strict';
import { DUE, type StepKey } from '@flotilla/state';
import { GatheredIndex } from './gathered-index.ts';
import type { ReferenceRun } from './reference-run.ts';

/** Redis' clock before and after a script call. */
export interface Clock {
  from: number;
  to: number;
}

export interface OutboxEntry {
  tag: string;
  id: string;
  lines: string[];
}

/** The lease that the tests give workers and attempts: it ends when a test says so. */
export const LEASE_MS = 3_600_000;

/** Everything that state keeps, as the reference has it: what Redis must look like after each call. */
export class Reference {
  readonly runs = new Map<string, ReferenceRun>();
  readonly due = new GatheredIndex();
  readonly lease = new GatheredIndex();
  readonly workers = new GatheredIndex();
  readonly outbox: OutboxEntry[] = [];
  /** `tag|hash of the key` -> what it answers for. */
  readonly idempotency = new Map<string, { runId: string; bodyHash: string }>();
  #lines: { tag: string; line: string }[] = [];

  send(tag: string, line: string): void {
    this.#lines.push({ tag, line });
  }

  /** Ends a script call: gives the lines that each partition's new outbox entry must have. */
  flush(): Map<string, string[]> {
    for (const index of [this.due, this.lease, this.workers]) index.flush();
    const lines = new Map<string, string[]>();
    for (const { tag, line } of this.#lines) lines.set(tag, [...(lines.get(tag) ?? []), line]);
    this.#lines = [];
    return lines;
  }

  /** What a repeated call may not have changed. */
  digest(): string {
    const runs = [...this.runs.values()].map((run) => ({
      id: run.id,
      status: run.status,
      ending: run.ending,
      failure: run.failure,
      opening: run.opening,
      output: run.outputJson,
      steps: [...run.steps],
      outcomes: [...run.outcomes],
      deadLetters: [...run.deadLetters],
      items: [...run.items],
      progress: [...run.progress],
      held: [...run.held],
      chains: [...run.chains],
      cleanups: [run.cleanups.length, run.cleanupsLeft, run.cleanupsFailed, run.cleanupsBegun],
      made: run.itemsMade,
      events: run.events.length,
    }));
    return JSON.stringify({ runs, outbox: this.outbox, idempotency: [...this.idempotency] });
  }
}

export function dueMember(letter: string, key: StepKey, runId: string): string {
  return `${letter}|${key}|${runId}`;
}

export function leaseMember(run: ReferenceRun, head: StepKey): string {
  return `${run.id}|${head}`;
}

export function after(clock: Clock, ms: number): { from: number; to: number } {
  return { from: clock.from + ms, to: clock.to + ms };
}

export function expectReply(actual: unknown, expected: unknown, what: string): void {
  assert.deepEqual(actual, expected, `${what}: an unexpected reply`);
}

/** Ends a run for good. */
function finish(
  state: Reference,
  run: ReferenceRun,
  status: 'succeeded' | 'failed' | 'cancelled' | 'timed-out',
  error?: string,
): void {
  run.status = status;
  run.event(`run-${status}`, undefined, error === undefined ? {} : { data: JSON.parse(error) });
  state.due.remove(run.tag, dueMember(DUE.runLimit, '', run.id));
  if (status !== 'succeeded') state.send(run.tag, `C|${run.id}|${run.plan.hash}`);
}

/** A run ends when nothing is live and it is ending, or all that must settle has settled. */
export function finishWhenDone(state: Reference, run: ReferenceRun): void {
  if (run.live > 0) return;
  if (run.ending !== undefined) endOrCleanUp(state, run);
  else if (run.endPending === 0 && run.isActive) {
    if (run.failure !== undefined) failAtEnd(state, run, run.failure);
    else if (run.plan.output !== undefined) state.send(run.tag, `F|${run.id}|${run.plan.hash}`);
    else finish(state, run, 'succeeded');
  }
}

/** A run fails when all has settled: with cleanups it begins to end, without it ends. */
function failAtEnd(state: Reference, run: ReferenceRun, error: string): void {
  if (run.cleanups.length === 0) {
    finish(state, run, 'failed', error);
    return;
  }
  beginEnding(run, 'failed', error);
  endOrCleanUp(state, run);
}

/** Nothing ordinary is live any more. */
function endOrCleanUp(state: Reference, run: ReferenceRun): void {
  if (run.cleanupsBegun) return;
  run.cleanupsBegun = run.cleanups.length > 0;
  nextCleanup(state, run);
}

/** Hands out the cleanup whose turn it is; the run ends when none is left. */
export function nextCleanup(state: Reference, run: ReferenceRun): void {
  const key = run.cleanupInTurn;
  if (key === undefined) finish(state, run, run.ending!.status, run.ending!.error);
  else sendStep(state, run, key);
}

export function finishByOutput(state: Reference, run: ReferenceRun, error: string | undefined): void {
  if (error === undefined) finish(state, run, 'succeeded');
  else failAtEnd(state, run, error);
}

export function beginEnding(run: ReferenceRun, status: 'failed' | 'cancelled' | 'timed-out', error: string): void {
  run.ending = { status, error };
  run.status = 'cancelling';
}

/** A step failed for good: the run begins to end, or the first failure is remembered. */
export function failRun(run: ReferenceRun, failFast: boolean, error: string): void {
  if (run.ending !== undefined) return;
  if (failFast) beginEnding(run, 'failed', error);
  else run.failure ??= error;
}

/** Its group fired before the run was reopened: that says nothing of what the group is now. */
export function isOfOtherOpening(run: ReferenceRun, { opening }: { opening?: number | undefined }): boolean {
  return opening !== undefined && opening !== run.opening;
}

/** Groups that fired go to the relay, unless the run is ending. */
export function sendFired(state: Reference, run: ReferenceRun, fired: readonly number[]): void {
  if (run.status === 'cancelling') return;
  for (const group of fired) {
    run.announceReady(group);
    const opening = run.opening === 1 ? '' : `|${run.opening}`;
    state.send(run.tag, `G|${run.id}|${run.plan.hash}|${group}|${run.expectedCounter(group)}${opening}`);
  }
}

/** The attempt of a running step is over: its entry among those in flight, and its chain, end with it. */
export function endLease(state: Reference, run: ReferenceRun, key: StepKey): void {
  const head = run.steps.get(key)!.head ?? key;
  state.lease.remove(run.tag, leaseMember(run, head));
  if (head !== key) run.chains.delete(head);
}

export function sendStep(state: Reference, run: ReferenceRun, key: StepKey): void {
  state.send(run.tag, `S|${run.id}|${run.plan.hash}|${key}`);
}
