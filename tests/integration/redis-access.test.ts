import type { ProblemDocument, RunStarted } from '@flotilla/contracts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { eventually, type Fleet, type LocalRedis, startFleet, startRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** Passwords and rights are changed: a server of its own. */
let redis: LocalRedis;
/** Not the user of the fleet, so that it can put things right. */
let connection: RedisConnection;
const operator = { call: (command: string, ...args: string[]) => connection.client.call(command, ...args) };
let fleet: Fleet;
const namespace = testNamespace(import.meta.url);
const FLEET_USER = 'fleet';

const ECHO = { flotilla: 1, name: 'echo', steps: { say: { kind: 'task', use: 'flotilla.echo', input: { a: 1 } } } };
/** Its second step becomes due while Redis lets nobody in. */
const LATER = {
  flotilla: 1,
  name: 'later',
  steps: {
    wait: { kind: 'delay', forMs: 1500 },
    say: { kind: 'task', use: 'flotilla.echo', needs: ['wait'] },
  },
};

/** What docs/guides/operating.md says. */
const RIGHTS = [`~{${namespace}}*`, `~{${namespace}:*`, `&${namespace}:*`, '+@all', '-@dangerous', '-@admin', '+info'];

beforeAll(async () => {
  redis = await startRedis();
  connection = connectRedis(redis.url, 'commands');
  await untilReady(connection, 60_000);
  await operator.call('ACL', 'SETUSER', FLEET_USER, 'reset', 'on', '>first-password', ...RIGHTS);
  const url = redis.url.replace('redis://', `redis://${FLEET_USER}:first-password@`);
  fleet = await startFleet({ redis: { url }, namespace });
}, 90_000);
afterAll(async () => {
  await closeConnection(connection);
  await fleet?.stop();
  await redis?.stop();
});

/** Of a start that was accepted, or refused. */
type Answer = Pick<RunStarted, 'runId'> & Pick<ProblemDocument, 'code' | 'detail'>;

const start = (definition: object) => fleet.api.request<Answer>('POST', '/v1/runs', { definition }, { repeat: false });

async function statusOf(runId: string): Promise<string> {
  return (await fleet.api.request<{ status: string }>('GET', `/v1/runs/${runId}`)).body.status;
}

/** Every connection is asked for its password again. */
async function disconnectAll(): Promise<void> {
  await operator.call('CLIENT', 'KILL', 'USER', FLEET_USER);
}

describe('the documented user of an ACL', () => {
  test('is enough for everything that a fleet does', async () => {
    const started = await start(LATER);
    expect(started.status).toBe(201);
    await eventually(async () => (await statusOf(started.body.runId)) === 'succeeded', { timeoutMs: 30_000 });
    const reads = [
      '/v1/runs',
      '/v1/agents',
      '/v1/dead-letters',
      '/v1/breakers',
      '/v1/workflows',
      `/v1/runs/${started.body.runId}/history`,
    ];
    for (const path of reads) expect([path, (await fleet.api.request('GET', path)).status]).toEqual([path, 200]);
    const denied = fleet.members.flatMap(({ process }) => process.stderr().match(/NOPERM[^"]*/g) ?? []);
    expect(denied).toEqual([]);
  }, 60_000);
});

describe.each([
  [
    'a password that is not right any more',
    () => operator.call('ACL', 'SETUSER', FLEET_USER, 'resetpass', '>second-password'),
    () => operator.call('ACL', 'SETUSER', FLEET_USER, '>first-password'),
  ],
  [
    'a user that is switched off',
    () => operator.call('ACL', 'SETUSER', FLEET_USER, 'off'),
    () => operator.call('ACL', 'SETUSER', FLEET_USER, 'on'),
  ],
  [
    'rights that were taken away',
    () => operator.call('ACL', 'SETUSER', FLEET_USER, '-@all'),
    () => operator.call('ACL', 'SETUSER', FLEET_USER, 'reset', 'on', '>first-password', ...RIGHTS),
  ],
])('%s', (_what, take, give) => {
  test('is REDIS_UNAVAILABLE with a time to retry, and everything goes on when it is right again', async () => {
    const under = await start(LATER);
    expect(under.status).toBe(201);
    await take();
    await disconnectAll();
    const ended = () => fleet.unexpectedEnds().join('\n');
    void ended;
    // Whatever was on its way when the connection broke says that Redis does not serve; what comes later says why.
    const refused = await eventually(async () => {
      if (ended() !== '') throw new Error(ended().slice(-3000));
      const answer = await start(ECHO);
      if (answer.status === 201) return undefined;
      expect([answer.status, answer.body.code]).toEqual([503, 'REDIS_UNAVAILABLE']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      return answer.body.detail?.includes('access-denied') ? answer : undefined;
    });
    expect(refused.body.detail).toMatch(/access-denied/);
    await eventually(
      async () => (await fleet.api.request('GET', '/readyz', undefined, { repeat: false })).status === 503,
      {
        timeoutMs: 30_000,
      },
    );
    await give();
    await eventually(async () => (await start(ECHO)).status === 201, { timeoutMs: 30_000 });
    await eventually(async () => (await statusOf(under.body.runId)) === 'succeeded', { timeoutMs: 60_000 });
    expect(fleet.unexpectedEnds()).toEqual([]);
    const logs = fleet.members.map(({ process }) => process.stderr()).join('\n');
    expect(logs).not.toMatch(/(first|second)-password/);
  }, 120_000);
});
