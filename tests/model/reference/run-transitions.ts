import { type CreatedRun, DUE } from '@flotilla/state';
import {
  after,
  beginEnding,
  type Clock,
  dueMember,
  expectReply,
  finishByOutput,
  finishWhenDone,
  type Reference,
  sendStep,
} from './reference.ts';
import type { ReferenceRun } from './reference-run.ts';

export function createRun(
  state: Reference,
  run: ReferenceRun,
  /** `tag|hash` of the key, in its own partition; '' without one. */
  keyId: string,
  reply: Pick<CreatedRun, 'runId' | 'deduplicated' | 'status'> | 'conflict' | 'pruned',
  clock: Clock,
): void {
  const what = `create ${run.id}`;
  const record = keyId === '' ? undefined : state.idempotency.get(keyId);
  if (record !== undefined && record.bodyHash !== run.bodyHash) {
    expectReply(reply, 'conflict', what);
    return;
  }
  const known = state.runs.get(record?.runId ?? run.id);
  if (record !== undefined && known === undefined) {
    expectReply(reply, 'pruned', what);
    return;
  }
  if (known !== undefined) {
    if (known.bodyHash !== run.bodyHash) {
      expectReply(reply, 'conflict', what);
      return;
    }
    expectReply(
      reply,
      { runId: known.id, status: known.status === 'reopening' ? 'pending' : known.status, deduplicated: true },
      what,
    );
    if (keyId !== '') state.idempotency.set(keyId, { runId: known.id, bodyHash: known.bodyHash });
    return;
  }
  expectReply(reply, { runId: run.id, status: 'pending', deduplicated: false }, what);
  state.runs.set(run.id, run);
  if (keyId !== '') state.idempotency.set(keyId, { runId: run.id, bodyHash: run.bodyHash });
  run.event('run-created', undefined);
  run.announceReady(run.plan.entryGroup!);
  const { timeoutMs } = run.plan;
  if (timeoutMs !== undefined) state.due.set(run.tag, dueMember(DUE.runLimit, '', run.id), after(clock, timeoutMs));
  state.send(run.tag, `E|${run.id}|${run.plan.hash}`);
}

export function cancelRun(state: Reference, runId: string, errorJson: string, reply: { reply: string } | 'gone'): void {
  const what = `cancel ${runId}`;
  const said = reply === 'gone' ? 'gone' : reply.reply;
  const run = state.runs.get(runId);
  if (run === undefined) {
    expectReply(said, 'gone', what);
    return;
  }
  if (run.isTerminal) {
    expectReply(said, 'ended', what);
    return;
  }
  if (run.status === 'cancelling') {
    expectReply(said, 'already-cancelling', what);
    return;
  }
  expectReply(said, 'cancelling', what);
  run.cancelRequest = run.events.length;
  run.event('cancel-requested', undefined, { data: JSON.parse(errorJson) });
  beginEnding(run, 'cancelled', errorJson);
  finishWhenDone(state, run);
}

export function timeOutRun(state: Reference, tag: string, runId: string, errorJson: string): void {
  state.due.remove(tag, dueMember(DUE.runLimit, '', runId));
  const run = state.runs.get(runId);
  if (!run?.isActive) return;
  beginEnding(run, 'timed-out', errorJson);
  finishWhenDone(state, run);
}

/** A run that cannot go on, whatever its steps do; one that is ending already goes on to end, with its cleanups. */
export function failRun(state: Reference, runId: string, errorJson: string): void {
  const run = state.runs.get(runId);
  if (!run?.isActive && run?.status !== 'reopening') return;
  beginEnding(run, 'failed', errorJson);
  finishWhenDone(state, run);
}

export function pauseRun(state: Reference, runId: string, reply: 'done' | 'gone' | 'refused'): void {
  const run = state.runs.get(runId);
  if (run === undefined) {
    expectReply(reply, 'gone', `pause ${runId}`);
    return;
  }
  expectReply(reply, run.isActive ? 'done' : 'refused', `pause ${runId}`);
  if (!run.isActive || run.status === 'paused') return;
  run.status = 'paused';
  run.event('run-paused', undefined);
}

export function resumeRun(state: Reference, runId: string, reply: 'done' | 'gone' | 'refused'): void {
  const run = state.runs.get(runId);
  if (run === undefined) {
    expectReply(reply, 'gone', `resume ${runId}`);
    return;
  }
  expectReply(reply, run.isActive ? 'done' : 'refused', `resume ${runId}`);
  if (run.status !== 'paused') return;
  run.status = 'running';
  run.wasResumed = true;
  run.event('run-resumed', undefined);
  // Redis keeps them as a set: their order is its own.
  for (const key of run.held) sendStep(state, run, key);
  run.held.clear();
}

export function finishRun(state: Reference, runId: string, end: { outputJson: string } | { errorJson: string }): void {
  const run = state.runs.get(runId);
  if (run === undefined || !run.isActive || run.endPending > 0 || run.live > 0) return;
  if ('outputJson' in end) run.outputJson = end.outputJson;
  else run.failure = end.errorJson;
  finishByOutput(state, run, 'errorJson' in end ? end.errorJson : undefined);
}

export function sweepRun(state: Reference, tag: string, runId: string, keys: readonly string[]): void {
  const run = state.runs.get(runId);
  if (run !== undefined && !run.isTerminal) return;
  for (const key of keys) for (const letter of 'qbdwtp') state.due.remove(tag, dueMember(letter, key, runId));
  run?.held.clear();
}

export function pruneRun(state: Reference, runId: string, pruned: boolean): void {
  const run = state.runs.get(runId);
  expectReply(pruned, run === undefined || run.isTerminal, `prune ${runId}`);
  if (pruned) state.runs.delete(runId);
}
