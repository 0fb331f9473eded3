import { type LocalRedis, startRedis } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import { watchEpoch } from './deployment-record.ts';
import { judgeServer } from './judge-server.ts';
import { parseInfo, type ServerFacts } from './server-facts.ts';
import { checkRedis, requireRedis } from './start-up-guard.ts';

const options = { namespace: 'fl', partitions: 16 };

describe('a sound Redis', () => {
  let server: LocalRedis;
  let connection: RedisConnection;
  beforeAll(async () => {
    server = await startRedis();
    connection = connectRedis(server.url, 'commands');
    await untilReady(connection, 60_000);
  });
  beforeEach(() => connection.client.flushall());
  afterAll(async () => {
    await closeConnection(connection);
    await server.stop();
  });

  test('of fifty processes that start at once one creates the deployment', async () => {
    const checks = await Promise.all(Array.from({ length: 50 }, () => checkRedis(connection.client, options)));
    expect(checks.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(checks.map(({ deployment }) => deployment?.epoch)).size).toBe(1);
    expect(checks.every(({ ok, warnings }) => ok && warnings.length === 0)).toBe(true);
    expect(checks[0]?.deployment).toMatchObject({ partitions: 16 });
    expect(Math.abs((checks[0]?.deployment?.createdAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test('another partition count is refused', async () => {
    await checkRedis(connection.client, options);
    await expect(requireRedis(connection.client, { ...options, partitions: 32 })).rejects.toMatchObject({
      code: 'PARTITION_MISMATCH',
      message: expect.stringContaining('16 partitions and this process is set to 32'),
    });
  });

  test('deployments of two namespaces do not meet', async () => {
    const [one, two] = await Promise.all([
      requireRedis(connection.client, options),
      requireRedis(connection.client, { namespace: 'other', partitions: 4 }),
    ]);
    expect(one.deployment.epoch).not.toBe(two.deployment.epoch);
  });

  test('an epoch that was seen and has vanished or changed is data loss', async () => {
    const { epoch } = (await requireRedis(connection.client, options)).deployment;
    expect(await watchEpoch(connection.client, 'fl', epoch)).toBe('same');
    await connection.client.flushall();
    expect(await watchEpoch(connection.client, 'fl', epoch)).toBe('vanished');
    const again = await checkRedis(connection.client, { ...options, knownEpoch: epoch });
    expect(again.problems.map(({ code }) => code)).toEqual(['DATA_LOSS']);
    expect(await connection.client.exists('{fl}:deployment')).toBe(0);

    await checkRedis(connection.client, options);
    expect(await watchEpoch(connection.client, 'fl', epoch)).toBe('changed');
    await expect(requireRedis(connection.client, { ...options, knownEpoch: epoch })).rejects.toMatchObject({
      code: 'DATA_LOSS',
    });
  });

  test('an epoch cannot be seen while Redis is frozen', async () => {
    server.pause();
    try {
      expect(await watchEpoch(connection.client, 'fl', 'x', { deadlineMs: 50 })).toBe('unreachable');
      await expect(checkRedis(connection.client, { ...options, deadlineMs: 50 })).rejects.toMatchObject({
        code: 'REDIS_UNAVAILABLE',
      });
    } finally {
      server.resume();
    }
  });

  test.each([
    ['another type', () => connection.client.set('{fl}:deployment', 'x')],
    ['no epoch', () => connection.client.hset('{fl}:deployment', 'partitions', '16')],
    ['no number', () => connection.client.hset('{fl}:deployment', 'partitions', 'x', 'epoch', 'e')],
  ])('a record with %s is refused and left alone', async (_what, damage) => {
    await damage();
    const check = await checkRedis(connection.client, options);
    expect(check.problems.map(({ code }) => code)).toEqual(['DATA_CORRUPTION']);
    expect(await watchEpoch(connection.client, 'fl', 'e')).toBe('changed');
  });

  test.each([
    { namespace: '', partitions: 1 },
    { namespace: '{x}', partitions: 1 },
    { namespace: 'fl', partitions: 0 },
    { namespace: 'fl', partitions: 1.5 },
    { namespace: 'fl', partitions: 5000 },
  ])('%p cannot be', async (impossible) => {
    await expect(checkRedis(connection.client, impossible)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('a user without CONFIG is judged by INFO, one without both gets warnings', async () => {
    await connection.client.acl('SETUSER', 'plain', 'on', '>pw', '~*', '+@all', '-config');
    await connection.client.acl('SETUSER', 'poor', 'on', '>pw', '~*', '+@all', '-config', '-info');
    const as = async (user: string): Promise<string[][]> => {
      const other = connectRedis(server.url.replace('redis://', `redis://${user}:pw@`), 'commands');
      const { problems, warnings } = await checkRedis(other.client, options);
      await closeConnection(other);
      return [problems, warnings].map((found) => found.map(({ code }) => code));
    };
    expect(await as('plain')).toEqual([[], []]);
    expect(await as('poor')).toEqual([[], ['REDIS_UNVERIFIED', 'REDIS_UNVERIFIED', 'REDIS_UNVERIFIED']]);
  });
});

describe('an unsound Redis', () => {
  const servers: LocalRedis[] = [];
  const connections: RedisConnection[] = [];
  afterEach(async () => {
    for (const connection of connections.splice(0)) await closeConnection(connection);
    for (const server of servers.splice(0)) await server.stop();
  });
  const start = async (args: readonly string[], appendOnly: boolean): Promise<RedisConnection> => {
    const server = await startRedis({ args, appendOnly });
    servers.push(server);
    const connection = connectRedis(server.url, 'commands');
    connections.push(connection);
    await untilReady(connection, 60_000);
    return connection;
  };

  test('all problems are told at once and nothing is stored', async () => {
    const { client } = await start(['--maxmemory-policy', 'allkeys-lru'], false);
    const refused = requireRedis(client, options);
    await expect(refused).rejects.toMatchObject({ code: 'REDIS_EVICTS' });
    await expect(refused).rejects.toMatchObject({
      problems: [{ code: 'REDIS_EVICTS' }, { code: 'REDIS_VOLATILE' }],
      message: expect.stringMatching(/allkeys-lru[\s\S]*AOF off/),
    });
    expect(await client.dbsize()).toBe(0);
  });

  test('volatile storage is a warning when it is allowed', async () => {
    const { client } = await start([], false);
    const check = await requireRedis(client, { ...options, allowVolatile: true });
    expect(check.warnings.map(({ code }) => code)).toEqual(['REDIS_VOLATILE']);
  });

  test('keys that were evicted and an unbounded fsync are warnings', async () => {
    const { client } = await start(['--maxmemory-policy', 'allkeys-random', '--appendfsync', 'no'], true);
    await client.config('SET', 'maxmemory', '3mb');
    const value = 'x'.repeat(100_000);
    for (let key = 0; key < 60; key += 1) await client.set(`key-${key}`, value);
    await client.config('SET', 'maxmemory', '0');
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    const check = await requireRedis(client, options);
    expect(check.warnings.map(({ code }) => code)).toEqual(['REDIS_HAS_EVICTED', 'REDIS_FSYNC_UNBOUNDED']);
  });

  test('a replica is refused', async () => {
    const { client } = await start(['--replicaof', '127.0.0.1 1'], true);
    expect((await checkRedis(client, options)).problems.map(({ code }) => code)).toEqual(['REDIS_IS_REPLICA']);
  });
});

describe('judgeServer', () => {
  const sound: ServerFacts = {
    address: 'h:1',
    version: '7.0.0',
    maxmemoryPolicy: 'noeviction',
    appendOnly: true,
    appendFsync: 'everysec',
    evictedKeys: 0,
    role: 'master',
    lineage: 'a/b',
  };
  const codes = (change: Partial<ServerFacts>): string[] =>
    judgeServer({ ...sound, ...change }, { allowVolatile: false }).map(({ code }) => code);

  test.each(['6.2.14', '5.0.0', '', 'x'])('version "%s" is too old', (version) => {
    expect(codes({ version })).toEqual(['REDIS_TOO_OLD']);
  });

  test.each(['7.0.0', '7.4.1', '8.2.0', '10.0.0'])('version %s is accepted', (version) => {
    expect(codes({ version })).toEqual([]);
  });

  test('parseInfo reads fields and skips titles', () => {
    expect([...parseInfo('# Server\r\nredis_version:7.2.4\r\n\r\nx:a:b\r\n')]).toEqual([
      ['redis_version', '7.2.4'],
      ['x', 'a:b'],
    ]);
  });
});
