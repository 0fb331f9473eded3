import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import {
  type Fleet,
  recordMachineTime,
  startFleet,
  startRedis,
  startStopwatch,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const STEPS = 50;
const DRAIN_MS = 500;
/** What the worker's own guard adds to the drain time before it ends the process. */
const LAST_LIMIT_MS = 8000;
const workerEnv = {
  FLOTILLA_DRAIN_MS: String(DRAIN_MS),
  FLOTILLA_HANDLERS: fileURLToPath(new URL('../chaos/fixtures/ends-worker.ts', import.meta.url)),
};
const folder = mkdtempSync(join(tmpdir(), 'flotilla-drain-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Steps that go on until the file is there. */
function waiters(count: number, file: string): object {
  const step = { kind: 'task', use: 'waits-for-file', input: { file }, retry: { maxAttempts: 1 } };
  const steps = Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, step]));
  return { flotilla: 1, name: 'waiters', steps };
}

async function startAndWaitUntilAllRun(fleet: Fleet, count: number, file: string): Promise<string> {
  const { runId } = await fleet.api.start({ definition: waiters(count, file) });
  let started = 0;
  await fleet.api.waitForEvent(runId, ({ type, seq }) => {
    if (seq === 0) started = 0;
    if (type === 'attempt-started') started += 1;
    return started === count;
  });
  return runId;
}

describe('a worker that is told to end', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet({ namespace: testNamespace(import.meta.url), workerEnv });
  }, 60_000);
  afterAll(async () => {
    const ends = fleet.unexpectedEnds();
    await fleet.stop();
    expect(ends).toEqual([]);
  });

  test('G6 50 running steps go to another worker, and none is lost or charged', async () => {
    const [first] = fleet.workers;
    // It has started before the steps run, however long that takes, and stands still until the first one has them all.
    const second = await fleet.addWorker();
    second.pause();
    const file = join(folder, 'handed-over');
    const runId = await startAndWaitUntilAllRun(fleet, STEPS, file);
    second.resume();
    const machine = recordMachineTime();
    const machineMs = startStopwatch();
    const exit = await first!.terminate();
    expect(exit).toMatchObject({ code: 0, signal: null });
    expect(machineMs()).toBeLessThan(DRAIN_MS + 3000);

    writeFileSync(file, '');
    await fleet.api.waitForEnd([runId], { timeoutMs: 10_000 });
    const record = await fleet.api.record(runId);
    expect(record.run.status).toBe('succeeded');
    expect(findViolations(record, { maxAttempts: 0 })).toEqual([]);
    const others = record.steps.filter(
      ({ attempts, lost = 0, worker }) => attempts !== 1 || lost !== 0 || worker !== second.id,
    );
    expect(others).toEqual([]);
    const types = new Set(record.events.map(({ type }) => type));
    for (const type of ['attempt-failed', 'attempt-timed-out', 'attempt-lost', 'attempt-rejected'] as const) {
      expect(types).not.toContain(type);
    }
    const handedBackAt = Math.max(
      ...record.events.filter(({ type }) => type === 'attempt-cancelled').map(({ at }) => at),
    );
    const lastStartAt = Math.max(...record.events.filter(({ type }) => type === 'attempt-started').map(({ at }) => at));
    expect(machine.between(handedBackAt, lastStartAt)).toBeLessThan(2000);
    machine.stop();
    process.stdout.write(
      `drain: ${STEPS} steps: exit after ${Math.round(exit.tookMs)} ms, ` +
        `the last started again ${lastStartAt - handedBackAt} ms after the last was handed back\n`,
    );
  }, 40_000);

  test('told twice at once, as by a signal to its process group, it drains all the same', async () => {
    const others = fleet.workers.filter(({ process: { running } }) => running());
    const told = await fleet.addWorker({ FLOTILLA_DRAIN_MS: '30000' });
    for (const other of others) other.pause();
    const file = join(folder, 'told-twice');
    const runId = await startAndWaitUntilAllRun(fleet, 1, file);
    // Without waiting for what it says: on a busy machine that alone takes longer than what counts as one request.
    for (let signals = 0; signals < 5; signals += 1) {
      told.process.signal('SIGTERM');
      await new Promise(setImmediate);
    }
    const exiting = told.terminate();
    await told.process.waitForLine(/"msg":"draining"/);
    writeFileSync(file, '');
    const exit = await exiting;
    for (const other of others) other.resume();
    expect(exit).toMatchObject({ code: 0, signal: null });
    const record = await fleet.api.record(runId);
    expect(record.run.status).toBe('succeeded');
    expect(record.steps.map(({ attempts, lost = 0 }) => [attempts, lost])).toEqual([[1, 0]]);
  }, 40_000);

  test('an idle worker exits at once', async () => {
    const idle = await fleet.addWorker({ FLOTILLA_DRAIN_MS: '30000' });
    const machineMs = startStopwatch();
    const exit = await idle.terminate();
    expect(exit).toMatchObject({ code: 0, signal: null });
    // Nothing like its drain time.
    expect(machineMs()).toBeLessThan(10_000);
  }, 40_000);
});

test('a worker whose Redis is frozen still exits within its limit', async () => {
  // A single server of its own, to be frozen.
  const redis = await startRedis();
  let fleet: Fleet | undefined;
  try {
    fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url), workerEnv });
    await startAndWaitUntilAllRun(fleet, 5, join(folder, 'never'));
    redis.pause();
    const [worker] = fleet.workers;
    const machineMs = startStopwatch();
    const exit = await worker!.terminate(60_000);
    expect(exit.signal).toBeNull();
    expect(machineMs()).toBeLessThan(DRAIN_MS + LAST_LIMIT_MS + 1500);
    process.stdout.write(`drain: with a frozen Redis: code ${exit.code} after ${Math.round(exit.tookMs)} ms\n`);
  } finally {
    redis.resume();
    await fleet?.stop();
    await redis.stop();
  }
}, 60_000);
