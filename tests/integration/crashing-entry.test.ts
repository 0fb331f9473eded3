import { closeConnection, connectRedis, type RedisConnection } from '@flotilla/redis';
import { partitionTag, stateKey } from '@flotilla/state';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

/** Fifteen megabytes that take a scheduler with this heap far more than it has. No caller can store such an input. */
const HEAP_MB = 128;
const CRASHING_INPUT = `{"list":[${'{},'.repeat(5_000_000)}{}]}`;

let fleet: Fleet;
let redis: RedisConnection;
beforeAll(async () => {
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    env: { FLOTILLA_PARTITIONS: '1' },
    schedulerEnv: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` },
  });
  redis = connectRedis(fleet.redisUrl, 'commands');
}, 90_000);
afterAll(async () => {
  await closeConnection(redis);
  await fleet.stop();
});

const innocent = { flotilla: 1, name: 'innocent', steps: { a: { kind: 'task', use: 'flotilla.echo' } } };

test('an entry that three schedulers have died of is set aside, its run fails, and the others go on', async () => {
  const definition = {
    flotilla: 1,
    name: 'crashing',
    steps: { a: { kind: 'delay', forMs: 1000 } },
    output: '${{ size(run.input.list) }}',
  };
  const { runId } = await fleet.api.start({ definition, input: { list: [] } });
  const key = stateKey(partitionTag(fleet.namespace, 0), 'run', runId);
  await redis.client.hset(key, 'i', CRASHING_INPUT);
  const others: string[] = [];
  let deaths = 0;
  // As whatever supervises schedulers does: another in the place of each that ended.
  await eventually(
    async () => {
      const dead = fleet.members.filter(({ kind, exit }) => kind === 'scheduler' && exit !== undefined);
      if (dead.length > deaths) {
        deaths = dead.length;
        await fleet.replace(dead.at(-1)!);
      }
      // The scheduler may die while it is asked: then again.
      if (others.length < deaths) others.push((await fleet.api.start({ definition: innocent, input: {} })).runId);
      return others.length === deaths && (await redis.client.hget(key, 'm'))?.startsWith('F') === true;
    },
    { timeoutMs: 240_000, intervalMs: 50 },
  );
  expect(deaths).toBe(3);
  await redis.client.hset(key, 'i', '{}');
  expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed', error: { code: 'SCHEDULER_CRASH_LIMIT' } });
  const { events } = await fleet.api.record(runId);
  expect(events.find(({ type }) => type === 'entry-set-aside')?.data).toMatchObject({ entry: 'F', deaths: 3 });
  const [last] = fleet.schedulers;
  expect(last?.process.lines.some((line) => line.includes('it is set aside') && line.includes(runId))).toBe(true);
  expect(others).toHaveLength(3);
  await fleet.api.waitForEnd(others, { timeoutMs: 30_000 });
  for (const other of others) expect((await fleet.api.run(other)).status).toBe('succeeded');
}, 300_000);
