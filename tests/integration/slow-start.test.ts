import { setTimeout as pause } from 'node:timers/promises';
import {
  eventually,
  type Fleet,
  type LocalRedis,
  recordMachineTime,
  startFleet,
  startRedis,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const SLOTS = 60;
const ITEMS = 600;
const STEP_MS = 500;
const OUTAGE_MS = 6000;
/** What is promised of every outage of Redis: G10. */
const GOES_ON_MS = 5000;

let redis: LocalRedis;
let fleet: Fleet;
beforeAll(async () => {
  redis = await startRedis();
  fleet = await startFleet({
    redis,
    namespace: testNamespace(import.meta.url),
    workerEnv: { FLOTILLA_CONCURRENCY: String(SLOTS) },
  });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await redis.stop();
  expect(ends).toEqual([]);
});

const definition = {
  flotilla: 1,
  name: 'many',
  steps: {
    each: {
      kind: 'map',
      over: 'run.input.items',
      concurrency: ITEMS,
      each: { kind: 'task', use: 'flotilla.sleep', input: { ms: STEP_MS } },
    },
  },
};

const limit = async () => (await fleet.api.agents())[0]?.load.limit;

test('G10 after an outage of Redis a worker goes on within 5 s, with a tenth of its slots, and doubles that', async () => {
  const items = Array.from({ length: ITEMS }, (_, index) => index);
  const { runId } = await fleet.api.start({ definition, input: { items } });
  await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-succeeded');
  await redis.kill9();
  await pause(OUTAGE_MS);
  await redis.restart();
  const backAt = Date.now();
  const machine = recordMachineTime();
  await fleet.api.waitForEnd([runId], { timeoutMs: 90_000 });
  const { run, steps, events } = await fleet.api.record(runId);
  const begun = events.filter(({ type, at }) => type === 'attempt-started' && at >= backAt).map(({ at }) => at);
  const firstAt = begun[0]!;
  const beganWithin = (ms: number) => begun.filter((at) => at < firstAt + ms).length;
  process.stdout.write(
    `first after ${firstAt - backAt} ms; begun a second: ${[1, 2, 3, 4, 5, 6, 7, 8].map((s) => beganWithin(s * 1000) - beganWithin((s - 1) * 1000)).join(' ')}\n`,
  );
  expect(run.status).toBe('succeeded');
  expect(steps.filter(({ attempts, lost = 0 }) => attempts > 1 || lost > 0)).toEqual([]);
  expect(machine.between(backAt, firstAt)).toBeLessThan(GOES_ON_MS);
  machine.stop();
  // A tenth at a time, each half a second long, and not all sixty at once.
  expect(beganWithin(STEP_MS)).toBeLessThanOrEqual(SLOTS / 5);
  expect(beganWithin(4000)).toBeLessThanOrEqual((SLOTS / 10) * (4000 / STEP_MS + 1));
  await eventually(async () => (await limit())! > SLOTS / 10, { timeoutMs: 10_000 });
}, 150_000);
