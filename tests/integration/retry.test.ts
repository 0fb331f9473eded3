import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import type { RunRetried, RunView } from '@flotilla/contracts';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

let fleet: Fleet;
let folder: string;
const folders: string[] = [];
beforeAll(async () => {
  const handlers = fileURLToPath(new URL('fixtures/fails-until.ts', import.meta.url));
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    schedulers: 2,
    workerEnv: { FLOTILLA_HANDLERS: handlers },
  });
}, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-retry-'));
  folders.push(folder);
});
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  for (const one of folders) rmSync(one, { recursive: true });
  expect(ends).toEqual([]);
});

type Extra = Record<string, unknown>;
const work = (name: string, needs: readonly string[] = [], extra: Extra = {}) => ({
  kind: 'task',
  use: 'fails-until',
  input: { folder, name, ...(extra['input'] as object) },
  ...(needs.length > 0 && { needs }),
  ...Object.fromEntries(Object.entries(extra).filter(([key]) => key !== 'input')),
});
const breaks = { input: { fails: true } };
const mend = (name: string) => writeFileSync(join(folder, `mended-${name}`), '');
const made = () => readFileSync(join(folder, 'made'), 'utf8').trim().split('\n');
const madeOf = (name: string) => made().filter((one) => one === name).length;

async function startAndEnd(steps: object, rest: object = {}): Promise<string> {
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'retried', steps, ...rest } });
  await fleet.api.waitForEnd([runId]);
  return runId;
}

const press = (runId: string, body?: object) => fleet.api.request<RunRetried>('POST', `/v1/runs/${runId}/retry`, body);

async function retryToEnd(runId: string, body?: object): Promise<RunView> {
  const { status, body: answer } = await press(runId, body);
  expect([status, answer]).toMatchObject([200, { runId, alreadyRetried: false }]);
  await fleet.api.waitForEnd([runId]);
  return fleet.api.run(runId);
}

const chain = () => ({
  s1: work('s1'),
  s2: work('s2', ['s1']),
  s3: work('s3', ['s2']),
  s4: work('s4', ['s3'], breaks),
  s5: work('s5', ['s4']),
});

describe('a run that failed at its fourth step of five', () => {
  test('goes on from there: what had succeeded is not made again', async () => {
    const runId = await startAndEnd(chain());
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed' });
    mend('s4');
    expect(await retryToEnd(runId)).toMatchObject({ status: 'succeeded', opening: 2 });
    expect(made()).toEqual(['s1', 's2', 's3', 's4', 's4', 's5']);
    const record = await fleet.api.record(runId);
    expect(record.steps.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'succeeded'));
    expect(record.events.filter(({ type }) => type === 'run-retried')).toMatchObject([{ data: { opening: 2 } }]);
    expect(findViolations(record)).toEqual([]);
  });

  test('is retried once, however many ask for it at once, and is refused while it runs', async () => {
    const runId = await startAndEnd(chain());
    mend('s4');
    const answers = await Promise.all(Array.from({ length: 10 }, () => press(runId, { opening: 1 })));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.filter(({ body }) => !body.alreadyRetried)).toHaveLength(1);
    await fleet.api.waitForEnd([runId]);
    expect((await press(runId, { opening: 1 })).body).toMatchObject({ alreadyRetried: true, status: 'succeeded' });
    expect(madeOf('s4')).toBe(2);
    expect((await fleet.api.record(runId)).events.filter(({ type }) => type === 'run-retried')).toHaveLength(1);
  });

  test('can be retried again and again', async () => {
    const runId = await startAndEnd(chain());
    expect(await retryToEnd(runId)).toMatchObject({ status: 'failed', opening: 2 });
    mend('s4');
    expect(await retryToEnd(runId)).toMatchObject({ status: 'succeeded', opening: 3 });
    expect(made()).toEqual(['s1', 's2', 's3', 's4', 's4', 's4', 's5']);
    expect(findViolations(await fleet.api.record(runId))).toEqual([]);
  });

  test('makes a step that succeeded anew when it is told to go on from there', async () => {
    const runId = await startAndEnd(chain());
    mend('s4');
    expect(await retryToEnd(runId, { from: 's2' })).toMatchObject({ status: 'succeeded' });
    expect(made()).toEqual(['s1', 's2', 's3', 's4', 's2', 's3', 's4', 's5']);
    expect(findViolations(await fleet.api.record(runId))).toEqual([]);
  });
});

describe('a retry is refused', () => {
  const problemOf = async (runId: string, body?: object) => {
    const { status, body: problem } = await press(runId, body);
    return [status, (problem as unknown as { code: string }).code];
  };

  test('of a run that has not ended, has succeeded, or is not there', async () => {
    const sleep = { kind: 'task', use: 'flotilla.sleep', input: { ms: 60_000 } };
    const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'live', steps: { sleep } } });
    expect(await problemOf(runId)).toEqual([409, 'RUN_STILL_ACTIVE']);
    await fleet.api.post(`/v1/runs/${runId}/cancel`);
    const succeeded = await startAndEnd({ a: work('a') });
    expect(await problemOf(succeeded)).toEqual([409, 'NOTHING_TO_RETRY']);
    expect(await problemOf('00-nobody')).toEqual([404, 'RUN_NOT_FOUND']);
  });

  test('of steps that are not there or have not failed', async () => {
    const runId = await startAndEnd(chain());
    expect(await problemOf(runId, { from: 'nope' })).toEqual([404, 'STEP_NOT_FOUND']);
    expect(await problemOf(runId, { steps: ['s1'] })).toEqual([409, 'NOTHING_TO_RETRY']);
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed' });
  });
});

test('a cancelled run goes on with what had not been made', async () => {
  const steps = {
    a: work('a'),
    b: { kind: 'delay', forMs: 3000, needs: ['a'] },
    c: work('c', ['b']),
  };
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'retried', steps } });
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'a');
  await fleet.api.post(`/v1/runs/${runId}/cancel`);
  expect(await retryToEnd(runId)).toMatchObject({ status: 'succeeded' });
  expect(made()).toEqual(['a', 'c']);
  expect(findViolations(await fleet.api.record(runId))).toEqual([]);
});

test('a run that exceeded its time goes on, and has its time again', async () => {
  const steps = { a: work('a'), b: { kind: 'delay', forMs: 60_000, needs: ['a'] }, c: work('c', ['b']) };
  const runId = await startAndEnd(steps, { timeoutMs: 3000 });
  expect(await fleet.api.run(runId)).toMatchObject({ status: 'timed-out' });
  expect(await retryToEnd(runId)).toMatchObject({ status: 'timed-out', opening: 2 });
  expect(made()).toEqual(['a']);
});

test('of a map only the items are made again that had not succeeded', async () => {
  const items = Array.from({ length: 30 }, (_, index) => ({
    name: `i${index}`,
    value: index,
    fails: index % 10 === 7,
  }));
  const steps = {
    list: {
      kind: 'map',
      over: 'run.input.items',
      as: 'item',
      concurrency: 3,
      each: {
        kind: 'task',
        use: 'fails-until',
        input: { folder, name: '${{ item.name }}', fails: '${{ item.fails }}', value: '${{ item.value }}' },
      },
    },
    after: work('after', ['list'], { input: { value: '${{ size(steps.list.output) }}' } }),
  };
  const definition = { flotilla: 1, name: 'retried', steps, output: { values: '${{ steps.list.output }}' } };
  const { runId } = await fleet.api.start({ definition, input: { items } });
  await fleet.api.waitForEnd([runId]);
  for (const broken of ['i7', 'i17', 'i27']) {
    const before = made();
    mend(broken);
    const view = await retryToEnd(runId);
    const succeeded = (await fleet.api.steps(runId)).filter(({ status }) => status === 'succeeded').length;
    expect(succeeded).toBeGreaterThanOrEqual(broken === 'i27' ? 32 : Number(broken.slice(1)) + 3);
    expect(
      made()
        .slice(before.length)
        .filter((name) => before.includes(name) && items.find((item) => item.name === name)?.fails === false).length,
    ).toBeLessThanOrEqual(2);
    if (broken === 'i27') {
      expect(view.status).toBe('succeeded');
      expect((view.output as { values: { name: string }[] }).values.map(({ name }) => name)).toEqual(
        items.map(({ name }) => name),
      );
    } else expect(view.status).toBe('failed');
  }
  expect(madeOf('after')).toBe(1);
  expect(findViolations(await fleet.api.record(runId))).toEqual([]);
});

test('of several failed steps one can be made again, and the others stay failed', async () => {
  const steps = {
    a: work('a', [], breaks),
    b: work('b', [], breaks),
    afterA: work('afterA', ['a']),
    both: work('both', ['a', 'b']),
    whatever: work('whatever', ['b'], { join: 'settled' }),
  };
  const runId = await startAndEnd(steps, { failFast: false });
  mend('a');
  mend('b');
  expect(await retryToEnd(runId, { steps: ['a'] })).toMatchObject({ status: 'failed', error: { stepId: 'b' } });
  expect([madeOf('a'), madeOf('b'), madeOf('afterA'), madeOf('both'), madeOf('whatever')]).toEqual([2, 1, 1, 0, 1]);
  expect(await retryToEnd(runId)).toMatchObject({ status: 'succeeded' });
  expect([madeOf('a'), madeOf('b'), madeOf('afterA'), madeOf('both'), madeOf('whatever')]).toEqual([2, 2, 1, 1, 2]);
  expect(findViolations(await fleet.api.record(runId))).toEqual([]);
});

test('what was undone when the run failed is made again, and nothing is undone twice', async () => {
  const steps = {
    seize: work('seize', [], { compensate: 'undo' }),
    look: work('look'),
    use: work('use', ['seize', 'look'], breaks),
  };
  const counts = () => ['seize', 'undo-seize', 'look', 'use'].map(madeOf);
  const runId = await startAndEnd(steps);
  expect(counts()).toEqual([1, 1, 1, 1]);
  expect(await retryToEnd(runId)).toMatchObject({ status: 'failed', opening: 2 });
  expect(counts()).toEqual([2, 2, 1, 2]);
  mend('use');
  expect(await retryToEnd(runId)).toMatchObject({ status: 'succeeded', opening: 3 });
  expect(counts()).toEqual([3, 2, 1, 3]);
  const { events, ...record } = await fleet.api.record(runId);
  expect(events.filter(({ type }) => type === 'cleanup-succeeded')).toHaveLength(2);
  expect(findViolations({ ...record, events })).toEqual([]);
});

test('a run whose output could not be made is evaluated again, and no step is', async () => {
  const runId = await startAndEnd({ a: work('a') }, { output: { x: '${{ steps.a.output.nothing }}' } });
  expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed', error: { code: 'EXPRESSION_FAILED' } });
  expect(await retryToEnd(runId)).toMatchObject({ status: 'failed', opening: 2 });
  expect(made()).toEqual(['a']);
});
