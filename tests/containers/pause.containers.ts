import { setTimeout as pause } from 'node:timers/promises';
import { rejectedAttempts } from '@flotilla/checker';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ContainerFleet } from './container-fleet.ts';
import { giveLongSteps, type Judgement, judgeUnderLoad } from './judge-load.ts';

/** A lease of 9 s, a look at the leases, and room. */
const BEYOND_LEASE_MS = 13_000;
const REDIS_AWAY_MS = 4000;

let fleet: ContainerFleet;
beforeAll(async () => {
  fleet = await ContainerFleet.start({ workers: 2 });
}, 120_000);
afterAll(() => fleet.stop());

describe('a worker that is frozen beyond its lease', () => {
  let judged: Judgement;
  beforeAll(async () => {
    const [frozen] = fleet.workers;
    judged = await judgeUnderLoad(fleet, {
      name: 'frozen-worker',
      activeRuns: 8,
      deed: async (load) => {
        await giveLongSteps(fleet, load, { name: 'frozen-worker', worker: frozen!.id });
        fleet.pausedAt.set(frozen!.id, Date.now());
        await frozen!.container.pause();
        await pause(BEYOND_LEASE_MS);
        await frozen!.container.unpause();
        await fleet.waitForWorkers(2);
      },
    });
  }, 180_000);

  test('loses its attempts to the other', () => {
    const lost = judged.records.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'));
    expect(lost.length).toBeGreaterThan(0);
  });

  test('finds its late results refused, and every run right', () => {
    expect(judged.problems).toEqual([]);
    expect(judged.records.flatMap(rejectedAttempts).length).toBeGreaterThan(0);
  });
});

test('a Redis that is frozen for seconds costs no run and no attempt', async () => {
  const { records, problems } = await judgeUnderLoad(fleet, {
    name: 'frozen-redis',
    activeRuns: 8,
    deed: async () => {
      await fleet.redis.pause();
      await pause(REDIS_AWAY_MS);
      await fleet.waitForNoRedis();
      await fleet.redis.unpause();
      await fleet.waitForRedis();
    },
  });
  expect(problems).toEqual([]);
  expect(records.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'))).toEqual([]);
}, 180_000);
