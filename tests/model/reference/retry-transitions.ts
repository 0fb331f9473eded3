import assert from 'node:assert/strict';
import { DUE, type StepKey } from '@flotilla/state';
import { after, type Clock, dueMember, expectReply, finishWhenDone, type Reference } from './reference.ts';
import type { ReferenceRun, ReferenceStep } from './reference-run.ts';
import { tallyOf } from './workflow-rules.ts';

export interface Selection {
  only?: number[];
  from?: number;
}

export type RetryReply = { reply: 'retried' | 'already'; opening: number } | { reply: 'refused' } | 'gone';

export function retryRun(
  state: Reference,
  runId: string,
  { selection, seen, data }: { selection: Selection; seen: number | undefined; data: object },
  reply: RetryReply,
): void {
  const what = `retry ${runId}`;
  const run = state.runs.get(runId);
  if (run === undefined) {
    assert.equal(reply, 'gone', what);
    return;
  }
  assert.ok(reply !== 'gone', what);
  const isOver = run.isTerminal && run.status !== 'succeeded';
  if (run.status === 'reopening' || (seen !== undefined && seen < run.opening)) {
    expectReply(reply, { ...reply, reply: 'already', opening: run.opening }, what);
  } else if (!isOver) {
    expectReply(reply.reply, 'refused', what);
  } else {
    run.opening += 1;
    expectReply(reply, { ...reply, reply: 'retried', opening: run.opening }, what);
    run.status = 'reopening';
    if (run.cleanups.length > 0) run.undone = run.cleanups.splice(0);
    Object.assign(run, { cleanupsLeft: 0, cleanupsFailed: 0, cleanupsBegun: false, cancelRequest: undefined });
    run.selection = selection;
    run.event('run-retried', undefined, { data: { opening: run.opening, ...data } });
    state.send(run.tag, `A|${run.id}|${run.plan.hash}|${run.opening}`);
  }
}

export function discardDeadLetters(
  state: Reference,
  runId: string,
  { seen, steps }: { seen: number | undefined; steps: readonly number[] },
  reply: readonly boolean[] | 'refused' | 'gone',
): void {
  const what = `discard dead letters of ${runId}`;
  const run = state.runs.get(runId);
  if (run === undefined) {
    expectReply(reply, 'gone', what);
    return;
  }
  const isOver = run.status === 'failed' || run.status === 'timed-out';
  if (!isOver || (seen !== undefined && seen < run.opening)) {
    expectReply(reply, 'refused', what);
    return;
  }
  expectReply(
    reply,
    steps.map((step) => run.deadLetters.delete(step)),
    what,
  );
}

/** What a scheduler makes of a retry. */
export function reopen(state: Reference, run: ReferenceRun, opening: number, clock: Clock): void {
  if (run.status !== 'reopening' || run.opening !== opening) return;
  const { only, from } = run.selection!;
  const anew = new Set<number>();
  const sameInput = new Set<number>();
  const kept = new Map(run.outcomes);
  const undone = new Set(run.undone.map(({ stepKey }) => stepKey));
  const undoneSteps = new Set(Array.from(undone, (key) => Number.parseInt(key, 10)));
  for (const { index, group, tolerated } of run.plan.steps) {
    const rules = run.rules.groups[group]!;
    const needsAnew = rules.edges.some((edge) => anew.has(edge.from));
    const isReadyBy = rules.join === 'any' && tallyOf(rules, kept).succeeded > 0;
    const failed = run.outcomes.get(index) === 'failed';
    const isRoot =
      undoneSteps.has(index) ||
      !run.outcomes.has(index) ||
      index === from ||
      (failed && (only?.includes(index) ?? !tolerated));
    if (!isRoot && (!needsAnew || isReadyBy)) continue;
    anew.add(index);
    kept.delete(index);
    if (!needsAnew && index !== from) sameInput.add(index);
  }
  for (const index of anew) reset(state, run, index, { keeps: sameInput.has(index), undone });
  if (run.undone.length > 0) run.hasUndone = true;
  run.undone.forEach(({ stepKey }, number) => {
    if (run.steps.get(`${stepKey}!${number}`)?.state === 'succeeded') run.redoneIn.set(stepKey, opening);
  });
  for (const key of [...run.steps.keys()]) if (key.includes('!')) run.steps.delete(key);
  run.undone = [];
  run.selection = undefined;
  run.cancelRequest = undefined;
  if (run.plan.definition.budget?.maxSteps !== undefined) {
    run.itemsMade = [...run.steps.values()].reduce((sum, { map }) => sum + (map?.items ?? 0), 0);
  }
  run.held.clear();
  run.ending = undefined;
  run.outputJson = undefined;
  run.failure = failureOf(run);
  run.status = 'pending';
  const { timeoutMs } = run.plan;
  if (timeoutMs !== undefined) state.due.set(run.tag, dueMember(DUE.runLimit, '', run.id), after(clock, timeoutMs));
  finishWhenDone(state, run);
}

function reset(
  state: Reference,
  run: ReferenceRun,
  index: number,
  { keeps, undone }: { keeps: boolean; undone: ReadonlySet<StepKey> },
): void {
  const key = String(index);
  const step = run.steps.get(key);
  run.outcomes.delete(index);
  run.deadLetters.delete(index);
  if (step?.map === undefined) {
    forget(state, run, key, keeps && !undone.has(key));
    return;
  }
  const { items } = step.map;
  const isMade = Array.from(
    { length: items },
    (_, item) => keeps && run.steps.get(`${key}.${item}`)?.state === 'succeeded' && !undone.has(`${key}.${item}`),
  );
  for (const name of [...run.jumps.keys()]) if (name.startsWith(`j${key}.`)) run.jumps.delete(name);
  for (let item = 0; item < items; item += 1) {
    if (!keeps) run.items.delete(`${key}.${item}`);
    if (!isMade[item]) forget(state, run, `${key}.${item}`, keeps && !undone.has(`${key}.${item}`));
  }
  if (!keeps) {
    forget(state, run, key, false);
    return;
  }
  const map = run.plan.steps[index]!.map!;
  // Behind the last one that is handed out at once; succeeded ones behind that are passed over by their field.
  const handedOut = isMade.flatMap((made, item) => (made ? [] : [item])).slice(0, map.concurrency);
  const next = handedOut.length === 0 ? items : handedOut.at(-1)! + 1;
  for (let item = next; item < items; item += 1) {
    if (!isMade[item] || (item > next && isMade[item - 1])) continue;
    const following = isMade.indexOf(false, item);
    run.jumps.set(`j${key}.${item}`, following < 0 ? items : following);
  }
  const succeeded = isMade.filter(Boolean).length;
  const begun: ReferenceStep = { ...step, state: 'map-running', body: undefined };
  begun.map = { items, next, succeeded, failed: 0, tolerated: map.toleratedFailures, isRetried: true };
  run.steps.set(key, begun);
}

function forget(state: Reference, run: ReferenceRun, key: StepKey, keepsProgress: boolean): void {
  run.steps.delete(key);
  run.chains.delete(key);
  if (!keepsProgress) run.progress.delete(key);
  for (const letter of 'qbdwtp') state.due.remove(run.tag, dueMember(letter, key, run.id));
}

/** A step that stays failed is what the run will end with, unless its failure is tolerated. */
function failureOf(run: ReferenceRun): string | undefined {
  const failed = run.plan.steps.find(({ index, tolerated }) => !tolerated && run.outcomes.get(index) === 'failed');
  if (failed === undefined) return undefined;
  const error = JSON.parse(run.steps.get(String(failed.index))!.body!) as object;
  return JSON.stringify(
    Object.fromEntries(Object.entries({ ...error, stepId: failed.id }).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}
