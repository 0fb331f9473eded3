import { summarizeRecoveries } from '@flotilla/chaos';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MOST_WAIT_MS } from '../chaos/judge-faults.ts';
import { ContainerFleet } from './container-fleet.ts';
import { giveLongSteps, judgeUnderLoad } from './judge-load.ts';

let fleet: ContainerFleet;
beforeAll(async () => {
  fleet = await ContainerFleet.start({ schedulers: 2, workers: 2 });
}, 120_000);
afterAll(() => fleet.stop());

test('G10 steps of a killed worker are started again within 12 s, and every run ends right', async () => {
  const { records, problems } = await judgeUnderLoad(fleet, {
    name: 'killed-worker',
    activeRuns: 8,
    deed: async (load) => {
      const victim = fleet.workers[0]!;
      await giveLongSteps(fleet, load, { name: 'killed-worker', worker: victim.id });
      await fleet.kill(victim);
      await fleet.add('worker');
      await fleet.waitForWorkers(2);
    },
  });
  expect(problems).toEqual([]);
  const { waits, text } = summarizeRecoveries(records, fleet.diedAt);
  process.stdout.write(`killed container: ${text}\n`);
  expect(waits.length).toBeGreaterThan(0);
  expect(waits.filter(({ waitedMs }) => waitedMs > MOST_WAIT_MS)).toEqual([]);
}, 180_000);

test('a killed scheduler costs no attempt: the other goes on', async () => {
  const { records, problems } = await judgeUnderLoad(fleet, {
    name: 'killed-scheduler',
    activeRuns: 8,
    deed: async () => {
      await fleet.kill(fleet.schedulers[0]!);
      await fleet.waitForRedis();
      await fleet.add('scheduler');
    },
  });
  expect(problems).toEqual([]);
  expect(records.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'))).toEqual([]);
}, 180_000);

test('a killed Redis comes back with every run that was acknowledged', async () => {
  const { problems } = await judgeUnderLoad(fleet, {
    name: 'killed-redis',
    activeRuns: 8,
    deed: async () => {
      await fleet.redis.kill();
      await fleet.waitForNoRedis();
      await fleet.redis.startAgain();
      await fleet.waitForRedis();
      await fleet.waitForWorkers(2);
    },
  });
  expect(problems).toEqual([]);
}, 180_000);
