import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AgentView } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace, within } from '@flotilla/testing';
import { afterEach, describe, expect, test } from '@jest/globals';

const handlers = fileURLToPath(new URL('./fixtures/memory-handlers.ts', import.meta.url));
const HEAP_MIB = 160;
const STEPS = 28;
/** All at once they need twice the heap; a few at a time fit. */
const MIB_A_STEP = 10;
const SLOTS = 64;

let fleet: Fleet;
afterEach(() => fleet.stop());

function startStarved(name: string, env: Record<string, string>): Promise<Fleet> {
  return startFleet({
    namespace: `${testNamespace(import.meta.url)}-${name}`,
    nodeArgs: [`--max-old-space-size=${HEAP_MIB}`],
    workerEnv: { FLOTILLA_HANDLERS: handlers, FLOTILLA_CONCURRENCY: String(SLOTS), ...env },
  });
}

/** However slow the machine is: all of them are under way before the first one ends. */
const UNTIL_DEAD_MS = 90_000;

/** Steps that hold memory. */
const hungry = (ms: number) => {
  const step = { kind: 'task', use: 'hold', input: { mib: MIB_A_STEP, ms }, retry: { maxAttempts: 1 } };
  const steps = Object.fromEntries(Array.from({ length: STEPS }, (_, index) => [`s${index}`, step]));
  return { definition: { flotilla: 1, name: 'hungry', steps } };
};

describe('a worker whose heap is too small for its concurrency', () => {
  test('F17 dies when it always takes what is configured', async () => {
    fleet = await startStarved('fixed', { FLOTILLA_FLAGS: 'adaptive-concurrency=off' });
    const [worker] = fleet.workers;
    await fleet.api.start(hungry(UNTIL_DEAD_MS));
    await within(worker!.process.exited, 60_000, 'the worker to die');
    expect(worker!.process.lines.some((line) => line.includes('heap out of memory'))).toBe(true);
  }, 120_000);

  test('F17 takes less work, tells so, survives and makes every step at its first attempt', async () => {
    fleet = await startStarved('adaptive', {});
    const { runId } = await fleet.api.start(hungry(5000));
    const limits = new Set<number>();
    const running = new Set<number>();
    const agent = async (): Promise<AgentView> => (await fleet.api.agents())[0]!;
    await eventually(
      async () => {
        if (fleet.unexpectedEnds().length > 0) throw new Error(fleet.unexpectedEnds().join('\n'));
        const { load } = await agent();
        limits.add(load.limit!);
        running.add(load.running);
        return (await fleet.api.run(runId)).status === 'succeeded';
      },
      { timeoutMs: 150_000, intervalMs: 250 },
    );
    const { run, steps } = await fleet.api.record(runId);
    expect(run.status).toBe('succeeded');
    expect(steps.filter(({ attempts, lost = 0 }) => attempts !== 1 || lost !== 0)).toEqual([]);
    expect(fleet.unexpectedEnds()).toEqual([]);
    expect(Math.max(...limits)).toBeLessThan(STEPS);
    expect((await agent()).load.slots).toBe(SLOTS);
    process.stdout.write(`limits told: ${[...limits].join(' ')}; running at once: ${[...running].join(' ')}\n`);
  }, 200_000);
});

test('F18 a worker whose attempts get no handles takes less work for a while', async () => {
  fleet = await startFleet({
    namespace: `${testNamespace(import.meta.url)}-handles`,
    workerEnv: { FLOTILLA_HANDLERS: handlers, FLOTILLA_CONCURRENCY: '32' },
  });
  const retry = { maxAttempts: 2, initialMs: 10 };
  const step = { kind: 'task', use: 'needs-handles', retry };
  const steps = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`s${index}`, step]));
  const record = await fleet.api.runToEnd({ definition: { flotilla: 1, name: 'handles', steps } });
  expect(record.steps.every(({ status, attempts }) => status === 'succeeded' && attempts === 2)).toBe(true);
  const [worker] = fleet.workers;
  expect(worker!.process.lines.some((line) => /taking less work/.test(line) && /EMFILE/.test(line))).toBe(true);
  await eventually(async () => (await fleet.api.agents())[0]!.load.limit! < 32, { timeoutMs: 10_000 });
}, 90_000);

/** More than the worker may have, all at once; a few at a time fit. */
const HANDLES_A_STEP = 20;
const HANDLE_STEPS = 30;

test('F18 a worker that may open few files takes less work, survives and makes every step', async () => {
  fleet = await startFleet({
    namespace: `${testNamespace(import.meta.url)}-few-handles`,
    workerEnv: { FLOTILLA_HANDLERS: handlers, FLOTILLA_CONCURRENCY: '32' },
  });
  const [worker] = fleet.workers;
  execFileSync('prlimit', ['--nofile=200:200', '--pid', String(worker!.process.pid)]);
  const step = {
    kind: 'task',
    use: 'open-files',
    input: { files: HANDLES_A_STEP, ms: 1000 },
    retry: { maxAttempts: 30, initialMs: 200 },
  };
  const steps = Object.fromEntries(Array.from({ length: HANDLE_STEPS }, (_, index) => [`s${index}`, step]));
  const record = await fleet.api.runToEnd({ definition: { flotilla: 1, name: 'files', steps } }, 60_000);
  expect(record.run.status).toBe('succeeded');
  expect(record.steps.filter(({ lost = 0 }) => lost > 0)).toEqual([]);
  expect(fleet.unexpectedEnds()).toEqual([]);
  expect(worker!.process.lines.some((line) => /taking less work/.test(line))).toBe(true);
}, 90_000);

test('a cold worker of a thousand slots takes a thousand waiting steps at once', async () => {
  const slots = 1000;
  fleet = await startFleet({
    namespace: `${testNamespace(import.meta.url)}-burst`,
    workerEnv: { FLOTILLA_CONCURRENCY: String(slots) },
  });
  const each = { kind: 'task', use: 'flotilla.sleep', input: { ms: UNTIL_DEAD_MS } };
  const definition = {
    flotilla: 1,
    name: 'burst',
    steps: { all: { kind: 'map', over: 'run.input.items', concurrency: slots, each } },
  };
  const items = Array.from({ length: slots }, (_, index) => index);
  const { runId } = await fleet.api.start({ definition, input: { items } });
  // The steps outlast the test: all of them are under way together, or never.
  await eventually(async () => (await fleet.api.agents())[0]!.load.running === slots, { timeoutMs: 60_000 });
  await fleet.api.post(`/v1/runs/${runId}/cancel`);
  expect((await fleet.api.agents())[0]!.load.limit).toBe(slots);
  expect(fleet.workers[0]!.process.lines.filter((line) => /taking less work/.test(line))).toEqual([]);
}, 90_000);
