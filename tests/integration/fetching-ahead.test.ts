import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { partitionTag, stateKey } from '@flotilla/state';
import { type Fleet, sharedRedis, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const namespace = testNamespace(import.meta.url);
const SLOTS = 8;
const STEPS = 96;
/** Far longer than a worker's patience with a step that waits for a slot. */
const STEP_MS = 300;

let connection: RedisConnection;
let fleet: Fleet;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  fleet = await startFleet({
    namespace,
    workers: 2,
    env: { FLOTILLA_PARTITIONS: '1', FLOTILLA_FLAGS: 'adaptive-concurrency=off' },
    workerEnv: { FLOTILLA_CONCURRENCY: String(SLOTS) },
  });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await closeConnection(connection);
  expect(ends).toEqual([]);
});

/** What the outbox has been given so far: a run's first group, and whatever workers have handed back. */
async function outboxEntries(): Promise<number> {
  const outbox = stateKey(partitionTag(namespace, 0), 'outbox');
  const information = (await connection.client.xinfo('STREAM', outbox)) as unknown[];
  return Number(information[information.indexOf('entries-added') + 1]);
}

test('workers whose slots are full of long steps fetch none that they would have to hand back', async () => {
  const step = { kind: 'task', use: 'flotilla.sleep', input: { ms: STEP_MS } };
  const steps = Object.fromEntries(Array.from({ length: STEPS }, (_, index) => [`s${index}`, step]));
  const { run } = await fleet.api.runToEnd({ definition: { flotilla: 1, name: 'waves', steps } }, 30_000);
  expect(run.status).toBe('succeeded');
  expect(await outboxEntries()).toBe(1);
}, 40_000);
