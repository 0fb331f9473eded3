import assert from 'node:assert/strict';
import type { CleanupView, HistoryEvent, StepStatus, StepView } from '@flotilla/contracts';
import { ENDING, FIELD, HEADER_STATUS, parseStepHeader, RUN, type STEP, stepIdOf } from '@flotilla/state';
import { waitsField } from './compare-indexes.ts';
import type { ObservedPartition, ObservedRun } from './observe.ts';
import { letterOf } from './reference/attempt-transitions.ts';
import type { Score } from './reference/gathered-index.ts';
import type { Reference } from './reference/reference.ts';
import type { ReferenceRun, ReferenceStep } from './reference/reference-run.ts';

/** How far the moment of a call lies within what was measured around it. */
function compareScores(
  what: string,
  observed: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, Score>,
): void {
  assert.deepEqual([...observed.keys()].sort(), [...expected.keys()].sort(), `members of ${what}`);
  for (const [member, { from, to }] of expected) {
    // Behind the point: how often it was taken.
    const score = Math.floor(observed.get(member)!);
    assert.ok(score >= from && score <= to, `${what}: ${member} is at ${score}, not within ${from} to ${to}`);
  }
}

export function comparePartition(reference: Reference, tag: string, observed: ObservedPartition): void {
  const outbox = reference.outbox.filter((entry) => entry.tag === tag);
  assert.deepEqual(
    observed.outbox.map(({ id, lines }) => [id, [...lines].sort()]),
    outbox.map(({ id, lines }) => [id, [...lines].sort()]),
    'the outbox',
  );
  compareScores('due', observed.due, reference.due.of(tag));
  compareScores('lease', observed.lease, reference.lease.of(tag));
  compareScores('workers', observed.workers, reference.workers.of(tag));
  const runs = [...reference.runs.values()].filter((run) => run.tag === tag);
  const ids = (keep: (run: ReferenceRun) => boolean) =>
    runs
      .filter(keep)
      .map(({ id }) => id)
      .sort();
  const sorted = (list: readonly string[]) => [...list].sort();
  assert.deepEqual(
    sorted(observed.runs),
    ids(() => true),
    'the index of runs',
  );
  assert.deepEqual(
    sorted(observed.ended),
    ids((run) => run.isTerminal),
    'the index of ended runs',
  );
  assert.deepEqual(
    sorted(observed.dead),
    ids((run) => run.isDead),
    'the index of runs with dead letters',
  );
  assert.deepEqual(
    sorted(observed.unclean),
    ids((run) => run.isTerminal && run.cleanupsFailed > 0),
    'the index of runs with failed cleanups',
  );
  assert.deepEqual(
    sorted(observed.cancels),
    ids((run) => run.status === 'cancelling' && !run.cleanupsBegun),
    'the runs that are ending',
  );
}

const STATUS_LETTERS: Record<ReferenceRun['status'], string> = {
  pending: RUN.pending,
  running: RUN.running,
  paused: RUN.paused,
  cancelling: RUN.ending,
  succeeded: RUN.succeeded,
  failed: RUN.failed,
  cancelled: RUN.cancelled,
  'timed-out': RUN.timedOut,
  reopening: RUN.reopening,
};

/** What every transition needs, packed: status, creation, live, end steps, output is an expression, a step has failed. */
function metaOf(run: ReferenceRun): string {
  const hasOutput = run.plan.output === undefined ? 0 : 1;
  const hasFailed = run.failure === undefined ? 0 : 1;
  const undone = run.hasUndone ? ['u'] : [];
  return [STATUS_LETTERS[run.status], run.createdAt, run.live, run.endPending, hasOutput, hasFailed, ...undone].join(
    '|',
  );
}

/** The run's hash, field by field: no field is missing and none is there that nobody knows of. */
export function compareRun(run: ReferenceRun, { fields, held, deadLetters, historyLength }: ObservedRun): void {
  const expected = new Map<string, string | undefined>([
    [FIELD.meta, metaOf(run)],
    [FIELD.definition, run.plan.hash],
    [FIELD.workflow, run.plan.definition.name],
    [FIELD.input, undefined],
    [FIELD.bodyHash, run.bodyHash],
  ]);
  if (run.tags.length > 0) expected.set(FIELD.tags, JSON.stringify(run.tags));
  const waits = waitsField(run);
  if (waits !== undefined) expected.set(FIELD.waits, waits);
  // Which errors it has met.
  if (fields[FIELD.errors] !== undefined) expected.set(FIELD.errors, undefined);
  if (run.isTerminal) expected.set(FIELD.endedAt, undefined);
  if (run.ending !== undefined) {
    const kind = { failed: ENDING.failed, cancelled: ENDING.cancelled, 'timed-out': ENDING.timedOut }[
      run.ending.status
    ];
    expected.set(FIELD.ending, `${kind}|${run.ending.error}`);
  }
  if (run.cleanups.length > 0) {
    const { cleanups, cleanupsLeft, cleanupsFailed, cleanupsBegun } = run;
    expected.set(FIELD.cleanups, [cleanups.length, cleanupsLeft, cleanupsFailed, cleanupsBegun ? 1 : 0].join('|'));
  }
  const registered = run.cleanups.length > 0 ? run.cleanups : run.undone;
  registered.forEach(({ stepKey, use, inputJson, digest }, number) => {
    expected.set(`u${number}`, use === undefined ? stepKey : `${stepKey}|${use}|${inputJson}`);
    if (digest !== undefined) expected.set(`h${stepKey}`, `${expected.get(`h${stepKey}`) ?? ''}${digest}:${number},`);
  });
  if (run.wasResumed) expected.set(FIELD.resumedAt, undefined);
  if (run.cancelRequest !== undefined) expected.set(FIELD.cancellation, undefined);
  if (run.opening > 1) {
    const selection = run.selection === undefined ? '' : JSON.stringify(run.selection);
    expected.set(FIELD.opening, `${run.opening}|${run.undone.length}|${selection}`);
  }
  for (const [field, next] of run.jumps) expected.set(field, String(next));
  if (run.failure !== undefined) expected.set(FIELD.failure, run.failure);
  if (run.outputJson !== undefined) expected.set(FIELD.output, run.outputJson);
  if (run.itemsMade !== undefined) expected.set(FIELD.madeSteps, String(run.itemsMade));
  run.rules.groups.forEach((_, group) => {
    const counter = run.expectedCounter(group);
    if (counter !== undefined) expected.set(`g${group}`, String(counter));
  });
  for (const [key, opening] of run.redoneIn) expected.set(`r${key}`, String(opening));
  for (const [head, key] of run.chains) expected.set(`c${head}`, key);
  for (const [key, item] of run.items) expected.set(`i${key}`, item);
  for (const [key, { seq }] of run.progress) {
    expected.set(`k${key}`, undefined);
    for (let kept = Math.max(1, seq - 2); kept <= seq; kept += 1) expected.set(`k${key}~${kept % 3}`, undefined);
  }
  for (const [key, step] of run.steps) {
    expected.set(`s${key}`, undefined);
    if (step.body !== undefined) expected.set(`o${key}`, step.body);
    if (step.lostWith !== undefined) expected.set(`q${key}`, step.lostWith.join());
  }
  assert.deepEqual(Object.keys(fields).sort(), [...expected.keys()].sort(), `fields of run ${run.id}`);
  for (const [field, value] of expected) {
    if (value !== undefined) assert.equal(fields[field], value, `field ${field} of run ${run.id}`);
  }
  for (const [key, step] of run.steps) compareStep(run, key, step, fields[`s${key}`]!);
  assert.deepEqual([...held].sort(), [...run.held].sort(), `steps held back in run ${run.id}`);
  const letters = [...run.deadLetters].sort((one, two) => one - two);
  assert.deepEqual(deadLetters, letters.map(String), `dead letters of run ${run.id}`);
  assert.equal(historyLength, run.events.length, `events of run ${run.id}`);
}

function compareStep(run: ReferenceRun, key: string, step: ReferenceStep, stored: string): void {
  const header = parseStepHeader(stored, run.createdAt);
  const what = `step ${key} of run ${run.id} (${stored})`;
  assert.equal(header.state, letterOf(step), `state of ${what}`);
  if (step.map !== undefined) {
    const { tolerated: _, ...map } = step.map;
    assert.deepEqual(header.map, map, `items of ${what}`);
    return;
  }
  const { failures, crashes, attemptId } = step;
  assert.deepEqual(
    { failures: header.failures, crashes: header.crashes, attemptId: header.attemptId },
    { failures, crashes, attemptId },
    what,
  );
  // Without an attempt there is no fence, or that of the run's creation.
  if (step.fence !== undefined) assert.equal(header.fence, step.fence, `fence of ${what}`);
  else assert.ok(header.fence === undefined || header.fence === run.createdAt, `fence of ${what}`);
  if (step.state === 'running') assert.equal(header.worker, step.worker, `worker of ${what}`);
  if (step.firstAt !== undefined) assert.equal(header.firstAt, step.firstAt, `first attempt of ${what}`);
  if (step.checksum !== undefined) assert.equal(header.checkpoint?.checksum, step.checksum, `checkpoint of ${what}`);
  const reasoned = step.state === 'parked' || step.state === 'cancelled' || step.state === 'skipped';
  if (reasoned) assert.equal(header.reason, step.reason, `reason of ${what}`);
}

/** `events` are all events of the run as the API gives them. */
export function compareHistory(run: ReferenceRun, events: readonly HistoryEvent[], clock: { to: number }): void {
  assert.deepEqual(
    events.map(({ seq: _seq, at: _at, ...event }) => event),
    run.events,
    `history of run ${run.id}`,
  );
  events.forEach(({ seq, at }, index) => {
    assert.equal(seq, index);
    assert.ok(
      at >= (events[index - 1]?.at ?? run.createdAt) && at <= clock.to,
      `time of event ${seq} of run ${run.id}`,
    );
  });
}

/** The list of steps as the API gives it. */
export function compareSteps(run: ReferenceRun, views: readonly StepView[]): void {
  const expected: unknown[] = [];
  const ended = run.isTerminal;
  const add = (stepId: string, key: string, isItem: boolean) => {
    const step = run.steps.get(key);
    let status: StepStatus =
      step === undefined ? (isItem ? 'ready' : 'waiting') : HEADER_STATUS[letterOf(step) as typeof STEP.running];
    const settled = ['succeeded', 'failed', 'skipped', 'quarantined'].includes(status);
    const mapFailed = isItem && run.steps.get(key.split('.')[0]!)?.state === 'failed';
    const isOver = ended || ((run.status === 'cancelling' || mapFailed) && status !== 'running');
    if (!settled && isOver) status = 'cancelled';
    const charged = step?.state === 'running' || (step?.state === 'succeeded' && step.attemptId !== '') ? 1 : 0;
    expected.push({ stepId, status, attempts: (step?.failures ?? 0) + charged, lost: step?.crashes || undefined });
  };
  for (const { id, index } of run.plan.steps) {
    add(id, String(index), false);
    const map = run.steps.get(String(index))?.map;
    for (let item = 0; item < (map?.next ?? 0); item += 1) add(`${id}[${item}]`, `${index}.${item}`, true);
  }
  assert.deepEqual(
    views.map(({ stepId, status, attempts, lost }) => ({ stepId, status, attempts, lost })),
    expected,
    `steps of run ${run.id}`,
  );
}

/** The list of cleanups as the API gives it. */
export function compareCleanups(run: ReferenceRun, views: readonly CleanupView[]): void {
  const expected = run.cleanups.map(({ stepKey, use }, number) => {
    const step = run.steps.get(`${stepKey}!${number}`);
    const charged = step?.state === 'running' || step?.state === 'succeeded' ? 1 : 0;
    return {
      number,
      stepId: stepIdOf(run.plan, stepKey),
      kind: use === undefined ? 'compensation' : 'registered',
      use: use ?? 'undo',
      status: step === undefined ? 'registered' : HEADER_STATUS[letterOf(step) as typeof STEP.running],
      attempts: (step?.failures ?? 0) + charged,
      lost: step?.crashes || undefined,
    };
  });
  assert.deepEqual(
    views.map(({ number, stepId, kind, use, status, attempts, lost }) => ({
      ...{ number, stepId, kind, use, status, attempts, lost },
    })),
    expected,
    `cleanups of run ${run.id}`,
  );
}
