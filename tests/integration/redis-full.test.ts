import { findViolations } from '@flotilla/checker';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { type Fleet, type LocalRedis, startFleet, startRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const FAN = 40;
const FULL_MS = 4000;
const MOST_AFTER_MS = 5000;
const MOST_LINES_A_SECOND = 10;

/** A single server of its own: it is filled. */
let redis: LocalRedis;
let fleet: Fleet;
let connection: RedisConnection;
beforeAll(async () => {
  redis = await startRedis();
  fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url) });
  connection = connectRedis(redis.url, 'commands');
  await untilReady(connection, 60_000);
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await closeConnection(connection);
  await fleet.stop();
  await redis.stop();
  expect(ends).toEqual([]);
});

/** Redis is over its limit: whatever may need memory is refused, the adding of BullMQ tasks too. */
const fill = () => connection.client.config('SET', 'maxmemory', '1');
const makeRoom = () => connection.client.config('SET', 'maxmemory', '0');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('when Redis is full in the moment in which a task has to be added', () => {
  test('G8 no step is lost or charged, little is logged, and all of it ends within 5 s of its having room', async () => {
    const step = { kind: 'task', use: 'flotilla.echo', input: 1, needs: ['first'], retry: { maxAttempts: 1 } };
    const fan = Object.fromEntries(Array.from({ length: FAN }, (_, index) => [`s${index}`, step]));
    const first = { kind: 'task', use: 'flotilla.sleep', input: { ms: 1000 } };
    const definition = { flotilla: 1, name: 'full', steps: { first, ...fan } };
    const { runId } = await fleet.api.start({ definition });
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
    await fill();
    // The fan became ready while Redis was full: none of its tasks can be added.
    await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'first');
    const linesOf = () => fleet.members.map(({ process }) => process.lines.length);
    const before = linesOf();
    await pause(FULL_MS);
    const lines = linesOf().map((count, index) => (count - before[index]!) / (FULL_MS / 1000));
    const started = (await fleet.api.history(runId)).filter(({ type }) => type === 'attempt-started');
    expect(started).toHaveLength(1);
    await makeRoom();
    await fleet.api.waitForEnd([runId], { timeoutMs: MOST_AFTER_MS });
    const record = await fleet.api.record(runId);
    expect(record.run.status).toBe('succeeded');
    expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
    expect(record.steps.filter(({ attempts, lost = 0 }) => attempts !== 1 || lost !== 0)).toEqual([]);
    expect(Math.max(...lines)).toBeLessThan(MOST_LINES_A_SECOND);
    process.stdout.write(`full Redis: ${lines.map((rate) => rate.toFixed(1)).join(' and ')} log lines a second\n`);
  }, 60_000);
});
