import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import { type Fleet, type RunRecord, startFleet, testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const handlers = fileURLToPath(new URL('fixtures/stray-errors.ts', import.meta.url));
const workerMain = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));
const INNOCENTS = 63;
const LEAKS = 10;
const EXIT_UNTRUSTED = 70;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-stray-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const startOf = (way: string, more: object = {}) => ({
  definition: {
    flotilla: 1,
    name: 'guilty',
    steps: { guilty: { kind: 'task', use: 'strays', input: { way }, ...more } },
  },
});

function innocents(count: number, file: string): object {
  const step = { kind: 'task', use: 'waits-for-file', input: { file }, retry: { maxAttempts: 1 } };
  const steps = Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, step]));
  return { definition: { flotilla: 1, name: 'innocents', steps } };
}

async function untilAllRun(fleet: Fleet, count: number, file: string): Promise<string> {
  const { runId } = await fleet.api.start(innocents(count, file));
  let started = 0;
  await fleet.api.waitForEvent(runId, ({ type, seq }) => {
    if (seq === 0) started = 0;
    if (type === 'attempt-started') started += 1;
    return started === count;
  });
  return runId;
}

async function endOf(fleet: Fleet, runId: string): Promise<RunRecord> {
  await fleet.api.waitForEnd([runId], { timeoutMs: 60_000 });
  return fleet.api.record(runId);
}

describe('a promise that nobody awaits', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ namespace: testNamespace(import.meta.url), workerEnv: { FLOTILLA_HANDLERS: handlers } });
  }, 60_000);
  afterAll(async () => {
    const ends = fleet.unexpectedEnds();
    await fleet.stop();
    expect(ends).toEqual([]);
  });

  test('whose rejection comes after its step has succeeded takes none of 63 innocent attempts with it, charges and quarantines none', async () => {
    const file = join(folder, 'leak');
    const innocent = await untilAllRun(fleet, INNOCENTS, file);
    const [worker] = fleet.workers;
    for (let leak = 0; leak < LEAKS; leak += 1) {
      const { run, steps } = await fleet.api.runToEnd(startOf('rejects-afterwards'));
      expect(run.status).toBe('succeeded');
      expect(steps).toMatchObject([{ attempts: 1, worker: worker!.id }]);
      // Lines of one handler are limited, so later ones may be missing.
      if (leak === 0) await worker!.process.waitForLine(new RegExp(`${run.runId}.*escaped its handler`));
    }
    writeFileSync(file, '');
    const record = await endOf(fleet, innocent);
    expect(record.run.status).toBe('succeeded');
    expect(record.steps.filter(({ attempts, lost = 0 }) => attempts !== 1 || lost !== 0)).toEqual([]);
    expect(findViolations(record, { maxAttempts: 0 })).toEqual([]);
    expect(fleet.workers).toEqual([worker]);
  }, 120_000);

  test('fails its attempt while that is under way, with a code, what to await, and a line of the log that names all', async () => {
    const { run, steps } = await fleet.api.runToEnd(startOf('rejects', { retry: { maxAttempts: 2, initialMs: 1 } }));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'UNAWAITED_REJECTION', type: 'retryable' } });
    expect(steps).toMatchObject([
      { attempts: 2, error: { message: expect.stringMatching(/await it.*: nobody awaits this/) } },
    ]);
    const [worker] = fleet.workers;
    const lines = worker!.process.lines.filter((line) => line.includes('escaped') && line.includes(run.runId));
    expect(JSON.parse(lines[0]!)).toMatchObject({
      ...{ level: 50, stepId: 'guilty', use: 'strays', attempt: 1, failed: true, kind: 'rejection' },
      error: { message: 'nobody awaits this', stack: expect.stringContaining('stray-errors.ts') },
    });
  }, 60_000);

  test("is not retried when it is rejected by a programmer's error", async () => {
    const { run, steps } = await fleet.api.runToEnd(startOf('rejects-by-mistake', { retry: { maxAttempts: 5 } }));
    expect(run).toMatchObject({ error: { code: 'UNAWAITED_REJECTION', type: 'non_retryable' } });
    expect(steps).toMatchObject([{ attempts: 1 }]);
  }, 60_000);
});

test('a worker whose stdout and stderr have lost their reader makes what prints', async () => {
  const fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 0,
  });
  const worker = await startUnread(fleet);
  try {
    await fleet.waitForWorkers(1, 60_000);
    for (const way of ['prints', 'rejects-afterwards', 'prints']) {
      const { run, steps } = await fleet.api.runToEnd(startOf(way), 60_000);
      expect(run.status).toBe('succeeded');
      expect(steps).toMatchObject([{ attempts: 1 }]);
    }
    expect(worker.exitCode).toBeNull();
    expect(worker.signalCode).toBeNull();
  } finally {
    worker.kill('SIGKILL');
    await fleet.stop();
  }
}, 120_000);

/** A worker whose output nobody reads: both pipes are closed before it writes to them. */
async function startUnread(fleet: Fleet): Promise<ChildProcess> {
  const { FLOTILLA_PORT: _, NODE_OPTIONS: __, ...env } = process.env;
  const worker = spawn(process.execPath, ['--conditions=@flotilla/source', workerMain], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...env,
      REDIS_URL: fleet.redisUrl,
      FLOTILLA_NAMESPACE: fleet.namespace,
      FLOTILLA_HANDLERS: handlers,
      FLOTILLA_LOG_LEVEL: 'trace',
    },
  });
  worker.stdout!.destroy();
  worker.stderr!.destroy();
  await once(worker, 'spawn');
  return worker;
}

describe.each(['timer-throws', 'emitter-without-listener'])('an error outside any promise (%s)', (way) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({
      namespace: testNamespace(import.meta.url),
      workerEnv: { FLOTILLA_HANDLERS: handlers, FLOTILLA_DRAIN_MS: '500' },
    });
  }, 60_000);
  afterAll(() => fleet.stop());

  test('fails its attempt; the worker drains and ends, and hands the innocents over uncharged', async () => {
    const file = join(folder, way);
    const innocent = await untilAllRun(fleet, 5, file);
    const [first] = fleet.workers;
    const guilty = await endOf(fleet, (await fleet.api.start(startOf(way, { retry: { maxAttempts: 1 } }))).runId);
    expect(guilty.run).toMatchObject({ status: 'failed', error: { code: 'UNCAUGHT_EXCEPTION' } });
    expect(await first!.process.exited).toEqual({ code: EXIT_UNTRUSTED, signal: null });
    await fleet.addWorker();
    writeFileSync(file, '');
    const record = await endOf(fleet, innocent);
    expect(record.run.status).toBe('succeeded');
    expect(record.steps.filter(({ attempts, lost = 0 }) => attempts !== 1 || lost !== 0)).toEqual([]);
    expect(record.events.filter(({ type }) => type === 'attempt-lost' || type === 'attempt-failed')).toEqual([]);
  }, 60_000);
});

test('an error that escapes a step in a process of its own fails its attempt, and is no loss', async () => {
  const fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workerEnv: { FLOTILLA_HANDLERS: handlers },
  });
  try {
    const step = {
      kind: 'task',
      use: 'becomes-suspect',
      input: { file: join(folder, 'suspect') },
      retry: { initialMs: 1 },
    };
    const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'suspect', steps: { step } } });
    for (let losses = 0; losses < 2; losses += 1) {
      const worker = fleet.members.findLast(({ kind }) => kind === 'worker')!;
      expect(await within(worker.process.exited, 60_000, 'the end of the worker')).toMatchObject({ signal: 'SIGKILL' });
      await fleet.addWorker();
    }
    const { run, steps, events } = await endOf(fleet, runId);
    expect(run.status).toBe('succeeded');
    expect(steps).toMatchObject([{ attempts: 3, lost: 2 }]);
    const codes = events.flatMap(({ type, data }) =>
      type === 'attempt-failed' ? [(data as { code: string }).code] : [],
    );
    expect(codes).toEqual(['UNCAUGHT_EXCEPTION', 'UNAWAITED_REJECTION']);
    expect(fleet.workers).toHaveLength(1);
  } finally {
    await fleet.stop();
  }
}, 180_000);
