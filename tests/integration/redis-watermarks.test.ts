import { findViolations } from '@flotilla/checker';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  type LocalRedis,
  mapInTurn,
  startFleet,
  startRedis,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const NORMAL_WITHIN_MS = 5000;
const MIB = 1024 * 1024;

/** A single server of its own: it is filled. */
let redis: LocalRedis;
let fleet: Fleet;
let connection: RedisConnection;
beforeAll(async () => {
  redis = await startRedis();
  connection = connectRedis(redis.url, 'commands');
  await untilReady(connection, 60_000);
  // So much that what the tests add is little beside it.
  for (let index = 0; index < 48; index += 1) await connection.client.set(`filler${index}`, 'x'.repeat(MIB));
  fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url), workers: 2 });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await closeConnection(connection);
  await fleet.stop();
  await redis.stop();
  expect(ends).toEqual([]);
});

const setLimit = (bytes: number) => connection.client.config('SET', 'maxmemory', String(Math.round(bytes)));
const used = async () => Number(/used_memory:(\d+)/.exec(await connection.client.info('memory'))![1]);
const fillTo = async (share: number) => setLimit((await used()) / share);
const makeRoom = () => setLimit(0);

interface Ready {
  problems?: { code: string }[];
}
const levelTold = async () => (await fleet.api.get<Ready>('/readyz')).problems?.map(({ code }) => code) ?? [];
const untilTold = (codes: string[]) =>
  eventually(async () => String(await levelTold()) === String(codes), { timeoutMs: NORMAL_WITHIN_MS, intervalMs: 50 });
const submit = (definition: object, input: unknown = {}) =>
  fleet.api.request<{ runId: string; code?: string }>('POST', '/v1/runs', { definition, input }, { repeat: false });

const echo = { kind: 'task', use: 'flotilla.echo', input: 1, retry: { maxAttempts: 1 } };
const chain = (ms: number, more: number) => {
  const first = { kind: 'task', use: 'flotilla.sleep', input: { ms }, retry: { maxAttempts: 1 } };
  const rest = Array.from({ length: more }, (_, index) => [
    `s${index}`,
    { ...echo, needs: [index === 0 ? 'first' : `s${index - 1}`] },
  ]);
  return { flotilla: 1, name: 'chain', steps: { first, ...Object.fromEntries(rest) } };
};

/** How often Redis has refused a command for want of memory. */
async function refusals(): Promise<number> {
  return Number(/errorstat_OOM:count=(\d+)/.exec(await connection.client.info('errorstats'))?.[1] ?? 0);
}

describe('the memory of Redis', () => {
  test('above 70 % is told, above 80 % no runs are taken and those under way go on', async () => {
    await fillTo(0.75);
    await untilTold(['STORAGE_TIGHT']);
    const { runId } = await fleet.api.start({ definition: chain(1500, 5) });
    await fillTo(0.85);
    await untilTold(['STORAGE_REFUSING']);
    const refused = await submit(chain(0, 1));
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([503, 'STORAGE_FULL', '5']);
    await fleet.api.waitForEnd([runId]);
    expect((await fleet.api.run(runId)).status).toBe('succeeded');
    await makeRoom();
    await untilTold([]);
    expect((await submit(chain(0, 1))).status).toBe(201);
  }, 60_000);

  test('F15 above 90 % running work ends, what would follow is held, and goes on within 5 s of there being room', async () => {
    const { runId } = await fleet.api.start({ definition: chain(6000, 3) });
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
    await fillTo(0.93);
    await untilTold(['STORAGE_HOLDING']);
    await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'first');
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'step-parked');
    const held = (await fleet.api.steps(runId)).find(({ stepId }) => stepId === 's0');
    expect(held).toMatchObject({ status: 'parked', reason: 'storage', attempts: 0 });
    const releasedAt = performance.now();
    await makeRoom();
    await fleet.api.waitForEnd([runId], { timeoutMs: NORMAL_WITHIN_MS });
    process.stdout.write(`went on and ended ${Math.round(performance.now() - releasedAt)} ms after there was room\n`);
    const record = await fleet.api.record(runId);
    expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
    expect(record.steps.every(({ attempts, lost = 0 }) => attempts === 1 && lost === 0)).toBe(true);
  }, 60_000);

  test('PAINS 33: a flood into little memory is refused in time: Redis refuses nothing, and all that was taken ends well', async () => {
    const before = await refusals();
    await setLimit(((await used()) + 6 * MIB) / 0.8);
    const input = { text: 'x'.repeat(50_000) };
    const taken: string[] = [];
    let refused = 0;
    await mapInTurn(Array.from({ length: 600 }), 8, async () => {
      if (refused > 50) return;
      const { status, body } = await submit(chain(10, 4), input);
      if (status === 201) taken.push(body.runId);
      else {
        expect([status, body.code]).toEqual([503, 'STORAGE_FULL']);
        refused += 1;
      }
    });
    await fleet.api.waitForEnd(taken, { timeoutMs: 60_000 });
    const records = await fleet.api.records(taken);
    expect(records.filter(({ run }) => run.status !== 'succeeded')).toEqual([]);
    expect(
      records.flatMap(({ steps }) => steps.filter(({ attempts, lost = 0 }) => attempts !== 1 || lost !== 0)),
    ).toEqual([]);
    expect(refused).toBeGreaterThan(50);
    expect(taken.length).toBeGreaterThan(20);
    expect((await refusals()) - before).toBe(0);
    process.stdout.write(`${taken.length} runs taken and ended, ${refused} refused, none by Redis itself\n`);
    await makeRoom();
    await untilTold([]);
  }, 120_000);
});
