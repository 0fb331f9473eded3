import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLeftovers } from '@flotilla/checker';
import type { CancelReceipt, CleanupList, HistoryEvent } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, startStopwatch, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const namespace = testNamespace(import.meta.url);
const handlers = fileURLToPath(new URL('./fixtures/cleanup-handlers.ts', import.meta.url));
const journal = join(mkdtempSync(join(tmpdir(), 'flotilla-test-')), 'journal');

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    namespace,
    workers: 2,
    workerEnv: { FLOTILLA_HANDLERS: handlers, CLEANUP_JOURNAL: journal },
  });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
});

const echo = (value: unknown, more: object = {}) => ({
  ...{ kind: 'task', use: 'flotilla.echo', input: { value } },
  ...more,
});
const long = (more: object = {}) => ({ kind: 'task', use: 'flotilla.sleep', input: { ms: 60_000 }, ...more });
const refuse = (more: object = {}) => ({ kind: 'task', use: 'refuse', ...more });

const workflow = (steps: object, more: object = {}) => ({
  definition: { flotilla: 1, name: 'undone', steps, ...more },
});

/** Starts a run and comes back when that step runs. */
async function startUntil(body: object, running: string): Promise<string> {
  const { runId } = await fleet.api.start(body);
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'attempt-started' && stepId === running);
  return runId;
}

const cancel = (runId: string) => fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel`);
const cleanupsOf = async (runId: string) => (await fleet.api.get<CleanupList>(`/v1/runs/${runId}/cleanups`)).cleanups;
const told = (events: readonly HistoryEvent[]) =>
  events.filter(({ type }) => type.startsWith('cleanup-')).map(({ type, stepId }) => `${type.slice(8)} ${stepId}`);

interface JournalLine {
  stepId: string;
  attempt: number;
  idempotencyKey: string;
  input: unknown;
}
const journalOf = (runId: string): JournalLine[] =>
  readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line.includes(runId))
    .map((line) => JSON.parse(line) as JournalLine);

describe('a run that is cancelled', () => {
  test('G9 compensates what has succeeded, last first, one after the other, and says so', async () => {
    const steps = {
      a: echo('${{ run.input.who }}', { compensate: 'undo' }),
      b: echo(2, { needs: ['a'], compensate: 'undo-later', retry: { initialMs: 10 } }),
      c: echo(3, { needs: ['b'] }),
      d: echo(4, { needs: ['b'], compensate: 'undo' }),
      e: long({ needs: ['c', 'd'], compensate: 'undo' }),
    };
    const runId = await startUntil({ ...workflow(steps), input: { who: 'me' } }, 'e');
    const { status, receipt } = await cancel(runId);
    expect(status).toBe('cancelled');
    expect(receipt).toMatchObject({
      ...{ outcome: 'cancelled', alreadyEnded: false, stoppedSteps: ['e'], compensated: ['d', 'b', 'a'] },
      ...{ failedCleanups: [], pendingCleanups: [], pending: [], cleanedUp: [] },
    });
    const { events, run } = await fleet.api.record(runId);
    expect(told(events)).toEqual([
      ...['started d', 'succeeded d', 'started b', 'retried b', 'started b', 'succeeded b', 'started a', 'succeeded a'],
    ]);
    expect(run.cleanups).toEqual({ registered: 3, left: 0, failed: 0, outcome: 'cancelled' });
    expect(events.at(-1)?.type).toBe('run-cancelled');
    const [first] = journalOf(runId).filter(({ stepId }) => stepId === 'a');
    expect(first).toMatchObject({
      idempotencyKey: `${runId}/a/cleanup/0`,
      input: { stepId: 'a', input: { value: 'me' }, output: { value: 'me' }, outcome: 'cancelled' },
    });
  }, 40_000);
});

describe('a run that fails', () => {
  test.each([true, false])(
    'compensates what has succeeded (failFast: %s)',
    async (failFast) => {
      const steps = { a: echo(1, { compensate: 'undo' }), b: refuse({ needs: ['a'], compensate: 'undo' }) };
      const { events, run } = await fleet.api.runToEnd(workflow(steps, { failFast }));
      expect(run).toMatchObject({ status: 'failed', error: { stepId: 'b' }, cleanups: { left: 0, outcome: 'failed' } });
      expect(told(events)).toEqual(['started a', 'succeeded a']);
    },
    40_000,
  );

  test('a compensation that fails for good is told of, and the others go on', async () => {
    const steps = {
      a: echo(1, { compensate: 'undo' }),
      b: echo(2, { needs: ['a'], compensate: 'undo-never' }),
      c: refuse({ needs: ['b'] }),
    };
    const { run, events } = await fleet.api.runToEnd(workflow(steps));
    expect(run).toMatchObject({ status: 'failed', cleanups: { registered: 2, left: 0, failed: 1 } });
    expect(told(events)).toEqual(['started b', 'failed b', 'started a', 'succeeded a']);
    const late = await cancel(run.runId);
    expect(late).toMatchObject({
      status: 'failed',
      receipt: {
        ...{ alreadyEnded: true, outcome: 'failed', compensated: ['a'], stoppedSteps: [] },
        failedCleanups: [{ stepId: 'b', use: 'undo-never', error: { message: 'the bank says no' } }],
      },
    });
  }, 40_000);

  test('because its output cannot be made compensates, too', async () => {
    const body = workflow({ a: echo(1, { compensate: 'undo' }) }, { output: '${{ steps.a.output.value.none }}' });
    const { run, events } = await fleet.api.runToEnd(body);
    expect(run.status).toBe('failed');
    expect(told(events)).toEqual(['started a', 'succeeded a']);
  }, 40_000);
});

test('a run whose time is over compensates, and ends as timed out', async () => {
  const steps = { a: echo(1, { compensate: 'undo' }), b: long({ needs: ['a'] }) };
  const { run, events } = await fleet.api.runToEnd(workflow(steps, { timeoutMs: 4000 }));
  expect(run).toMatchObject({ status: 'timed-out', cleanups: { outcome: 'timed-out', left: 0 } });
  expect(told(events)).toEqual(['started a', 'succeeded a']);
}, 40_000);

test('a run that succeeds compensates nothing', async () => {
  const { run, events } = await fleet.api.runToEnd(workflow({ a: echo(1, { compensate: 'undo' }) }));
  expect(run.status).toBe('succeeded');
  expect(run.cleanups).toBeUndefined();
  expect(told(events)).toEqual([]);
  expect(await cleanupsOf(run.runId)).toMatchObject([{ stepId: 'a', status: 'registered', use: 'undo' }]);
}, 40_000);

test('items of a map are compensated each, in the reverse order of their commits', async () => {
  const steps = {
    m: { kind: 'map', over: '[1, 2, 3]', concurrency: 1, each: echo('${{ item }}', { compensate: 'undo' }) },
    z: refuse({ needs: ['m'] }),
  };
  const { events } = await fleet.api.runToEnd(workflow(steps));
  expect(told(events).filter((line) => line.startsWith('succeeded'))).toEqual([
    ...['succeeded m[2]', 'succeeded m[1]', 'succeeded m[0]'],
  ]);
}, 40_000);

describe('registered cleanups', () => {
  test('are made whatever became of their attempt, together with the compensations in reverse order', async () => {
    const steps = {
      a: { kind: 'task', use: 'seize', input: { seats: ['1A', '1B'] }, compensate: 'undo' },
      b: { kind: 'task', use: 'seize', input: { seats: ['2A'], ms: 60_000 }, needs: ['a'] },
    };
    const { runId } = await fleet.api.start(workflow(steps));
    await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'cleanup-registered' && stepId === 'b');
    const { receipt } = await cancel(runId);
    expect(receipt).toMatchObject({
      compensated: ['a'],
      cleanedUp: [
        { stepId: 'b', use: 'undo' },
        { stepId: 'a', use: 'undo' },
        { stepId: 'a', use: 'undo' },
      ],
    });
    expect(journalOf(runId).map(({ input }) => (input as { seat?: string }).seat ?? 'compensated')).toEqual([
      ...['2A', 'compensated', '1B', '1A'],
    ]);
  }, 40_000);

  test('G9 of a worker that was killed are made by another', async () => {
    const steps = { a: { kind: 'task', use: 'seize', input: { seats: ['7C'], ms: 60_000 } } };
    const { runId } = await fleet.api.start(workflow(steps));
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'cleanup-registered');
    const { events } = await fleet.api.record(runId);
    const worker = events.find(({ type }) => type === 'attempt-started')!.worker;
    await fleet.workers.find(({ id }) => id === worker)!.kill9();
    const { receipt } = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel?waitMs=30000`);
    expect(receipt).toMatchObject({ lostSteps: ['a'], cleanedUp: [{ stepId: 'a', use: 'undo' }] });
  }, 60_000);
});

test('two cancels at once are told the same, and so is one that comes later', async () => {
  const steps = { a: echo(1, { compensate: 'undo-slowly' }), b: long({ needs: ['a'] }) };
  const runId = await startUntil(workflow(steps), 'b');
  const [one, other] = await Promise.all([cancel(runId), cancel(runId)]);
  expect(one).toEqual(other);
  expect(one).toMatchObject({ status: 'cancelled', receipt: { compensated: ['a'] } });
  expect(await cancel(runId)).toEqual(one);
}, 40_000);

test('a cancel does not say that cleanups are done before they are', async () => {
  const steps = { a: echo(1, { compensate: 'undo-slowly' }), b: long({ needs: ['a'] }) };
  const runId = await startUntil(workflow(steps), 'b');
  const early = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel?waitMs=100`);
  expect(early.status).toBe('cancelling');
  expect(early.receipt).toMatchObject({
    outcome: 'cancelled',
    compensated: [],
    pendingCleanups: [{ stepId: 'a', kind: 'compensation', use: 'undo-slowly' }],
  });
  expect((await cancel(runId)).receipt.compensated).toEqual(['a']);
}, 40_000);

describe('coordination-cancel', () => {
  test('a cancel from outside ends the work and the run, not only its status', async () => {
    const runId = await startUntil(workflow({ a: long(), b: long() }), 'b');
    const { status, receipt } = await cancel(runId);
    expect([status, [...receipt.stoppedSteps].sort()]).toEqual(['cancelled', ['a', 'b']]);
    const { run, events } = await fleet.api.record(runId);
    expect(run.endedAt).toBe(events.at(-1)?.at);
    expect(events.filter(({ type }) => type === 'attempt-cancelled')).toHaveLength(2);
  }, 40_000);

  test('a cancel of what is being cancelled leaves nothing undone', async () => {
    const steps = { a: echo(1, { compensate: 'undo-slowly' }), b: long({ needs: ['a'] }) };
    const runId = await startUntil(workflow(steps), 'b');
    const first = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel?waitMs=0`);
    expect(first.status).toBe('cancelling');
    const { status, receipt } = await cancel(runId);
    expect(status).toBe('cancelled');
    expect(receipt).toMatchObject({ compensated: ['a'], stoppedSteps: ['b'], pendingCleanups: [], pending: [] });
  }, 40_000);

  test('a handler that ignores its AbortSignal loses its slot and its result', async () => {
    const steps = { a: { kind: 'task', use: 'stubborn', input: { ms: 6000 }, compensate: 'undo' } };
    const runId = await startUntil(workflow(steps), 'a');
    const machineMs = startStopwatch();
    const { status, receipt } = await cancel(runId);
    expect(machineMs()).toBeLessThan(5000);
    expect(status).toBe('cancelled');
    // It did not succeed, so there is nothing to compensate, whatever it returns later.
    expect(receipt).toMatchObject({ stoppedSteps: ['a'], compensated: [] });
    const free = async () =>
      (await fleet.api.agents()).every(({ status, load }) => status === 'lost' || load.running === 0);
    await eventually(free, { timeoutMs: 5000, intervalMs: 100, message: 'all slots to be free' });
    await eventually(() => journalOf(runId).length === 1, { timeoutMs: 15_000, message: 'the handler to return' });
    const { run, events } = await fleet.api.record(runId);
    expect(run.status).toBe('cancelled');
    expect(events.filter(({ type }) => type.endsWith('-succeeded'))).toEqual([]);
  }, 40_000);
});

test('coordination-cancel: nothing is left of any of it', async () => {
  await eventually(async () => (await findLeftovers(fleet.redisUrl, namespace, { tasks: false })).length === 0, {
    timeoutMs: 10_000,
    intervalMs: 250,
    message: 'nothing to be left',
  });
}, 20_000);
