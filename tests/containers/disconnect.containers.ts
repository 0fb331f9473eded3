import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ContainerFleet } from './container-fleet.ts';
import { giveLongSteps, judgeUnderLoad } from './judge-load.ts';

/** A lease of 9 s, a look at the leases, and room. */
const BEYOND_LEASE_MS = 13_000;
const REDIS_AWAY_MS = 5000;

let fleet: ContainerFleet;
beforeAll(async () => {
  fleet = await ContainerFleet.start({ workers: 2 });
}, 120_000);
afterAll(() => fleet.stop());

test('a worker without its network loses its attempts to the other, and takes part again when it has it back', async () => {
  const [cutOff] = fleet.workers;
  const { records, problems } = await judgeUnderLoad(fleet, {
    name: 'cut-off-worker',
    activeRuns: 8,
    deed: async (load) => {
      await giveLongSteps(fleet, load, { name: 'cut-off-worker', worker: cutOff!.id });
      fleet.pausedAt.set(cutOff!.id, Date.now());
      await cutOff!.container.disconnect();
      await pause(BEYOND_LEASE_MS);
      await cutOff!.container.connect();
      const backAt = Date.now();
      await fleet.waitForWorkers(2);
      await eventually(async () => startedSince(await recent(), cutOff!.id, backAt), {
        timeoutMs: 30_000,
        intervalMs: 500,
        message: 'the worker to take steps again',
      });
    },
  });
  expect(problems).toEqual([]);
  const lost = records.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'));
  expect(lost.length).toBeGreaterThan(0);
  expect(new Set(lost.map(({ worker }) => worker))).toEqual(new Set([cutOff!.id]));
}, 180_000);

test('a Redis without its network is found again, and every run ends right', async () => {
  const { problems } = await judgeUnderLoad(fleet, {
    name: 'cut-off-redis',
    activeRuns: 8,
    deed: async () => {
      await fleet.redis.disconnect();
      await pause(REDIS_AWAY_MS);
      await fleet.waitForNoRedis();
      await fleet.redis.connect();
      await fleet.waitForRedis();
      await fleet.waitForWorkers(2);
    },
  });
  expect(problems).toEqual([]);
}, 180_000);

/** The runs under way. */
async function recent() {
  const { runs } = await fleet.api.get<{ runs: { runId: string }[] }>('/v1/runs?limit=30');
  return fleet.api.records(runs.map(({ runId }) => runId));
}

function startedSince(records: Awaited<ReturnType<typeof recent>>, worker: string, since: number): boolean {
  return records.some(({ events }) =>
    events.some((event) => event.type === 'attempt-started' && event.worker === worker && event.at > since),
  );
}
