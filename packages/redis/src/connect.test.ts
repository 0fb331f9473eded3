import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  eventually,
  freePort,
  type LocalRedis,
  launchSentinel,
  sentinelUrl,
  startRedis,
  within,
} from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import { reconnectDelayMs } from './connection-settings.ts';
import { type ConnectionErrorReport, limitReports } from './error-reports.ts';
import { keepSubscribed } from './keep-subscribed.ts';
import { isCluster } from './redis-client.ts';
import { retryTransient } from './retry-transient.ts';
import { defineScript, loadScripts, runScript } from './run-script.ts';
import { checkRedis } from './start-up-guard.ts';

/** Not measured: it ends what hangs. */
const READY_MS = 60_000;

const open: RedisConnection[] = [];
const connect = (...args: Parameters<typeof connectRedis>): RedisConnection => {
  const connection = connectRedis(...args);
  open.push(connection);
  return connection;
};
afterEach(async () => {
  for (const connection of open.splice(0)) await closeConnection(connection, 300);
});

describe('one server', () => {
  let server: LocalRedis;
  beforeAll(async () => {
    server = await startRedis({ appendOnly: false, args: ['--requirepass', 'Zq9secret'] });
  });
  beforeEach(async () => {
    if (server.lines().length === 0) await server.restart();
  });
  afterAll(() => server.stop());
  const url = (): string => server.url.replace('redis://', 'redis://:Zq9secret@');

  test('a connection takes the password, the database and its name', async () => {
    const connection = connect(`${url()}/3`, 'commands', { name: 'scheduler' });
    await untilReady(connection, READY_MS);
    expect(await connection.client.client('INFO')).toMatch(/ name=flotilla-commands-scheduler .* db=3 .* resp=3/);
    expect(connection.target).toBe(`${server.url}/3`);
    expect(isCluster(connection.client)).toBe(false);
  });

  test('replies keep the shapes of RESP2, which BullMQ needs', async () => {
    const connection = connect(url(), 'queue');
    await connection.client.hset('h', 'a', '1');
    await connection.client.zadd('z', '1.5', 'm');
    expect(await connection.client.call('HGETALL', 'h')).toEqual(['a', '1']);
    expect(await connection.client.zscore('z', 'm')).toBe('1.5');
  });

  test('a wrong password is told at once and never shown', async () => {
    const reports: ConnectionErrorReport[] = [];
    const connection = connect(server.url.replace('redis://', 'redis://:Xv7wrong@'), 'commands', {
      onError: (report) => reports.push(report),
    });
    const waiting = untilReady(connection, 100_000).catch((found: unknown) => found);
    const error = await within(waiting, 5000, 'the refusal');
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', message: expect.stringContaining('WRONGPASS') });
    expect(reports).toHaveLength(1);
    expect(inspect([error, reports, connection.lastError()], { depth: 8 })).not.toContain('Xv7wrong');
  });

  test('an orderly close delivers the replies that are due', async () => {
    const connection = connect(url(), 'commands');
    await untilReady(connection, READY_MS);
    const reply = connection.client.incr('due');
    expect(await closeConnection(connection, 30_000)).toBe('quit');
    expect(await reply).toBe(1);
    expect(await closeConnection(connection, 30_000)).toBe('quit');
  });

  test('closing does not wait for a blocking call', async () => {
    const connection = connect(url(), 'blocking');
    await untilReady(connection, READY_MS);
    const taken = connection.client.blpop('nothing', 30).catch((error: Error) => error.message);
    await within(closeConnection(connection, 60_000), 10_000, 'the close');
    expect(await taken).toBe('Connection is closed.');
  });

  test.each(['commands', 'blocking', 'queue', 'subscriber', 'request'] as const)(
    'closing a %s connection to a frozen Redis ends in its time',
    async (role) => {
      const connection = connect(url(), role);
      await untilReady(connection, READY_MS);
      server.pause();
      try {
        const waiting = connection.client.get('a').catch((error: Error) => error.message);
        expect(await within(closeConnection(connection, 500), 3000, 'the close')).toBe('forced');
        expect(await within(waiting, 1000, 'the call to be rejected')).toBe('Connection is closed.');
      } finally {
        server.resume();
      }
    },
  );

  test('calls for a request end within its time when Redis freezes', async () => {
    const connection = connect(url(), 'request');
    await untilReady(connection, READY_MS);
    server.pause();
    try {
      await expect(within(connection.client.get('a'), 3000, 'the time-out')).rejects.toThrow('Command timed out');
    } finally {
      server.resume();
    }
  });

  test('subscriptions and waiting calls come back with Redis', async () => {
    const subscriber = connect(url(), 'subscriber');
    const queue = connect(url(), 'queue');
    const heard: string[] = [];
    subscriber.client.on('message', (_channel: string, message: string) => heard.push(message));
    await keepSubscribed(subscriber.client, 'news');
    await untilReady(queue, READY_MS);
    await server.kill9();
    const pending = queue.client.incr('later');
    await server.restart();
    expect(await within(pending, 5000, 'the waiting call')).toBe(1);
    await eventually(async () => {
      await queue.client.publish('news', 'back');
      return heard.includes('back');
    });
  });
});

describe('no server', () => {
  test('a request is refused at once, readiness ends at its deadline and closing ends', async () => {
    const reports: ConnectionErrorReport[] = [];
    const connection = connect(`redis://127.0.0.1:${await freePort()}`, 'request', {
      onError: (report) => reports.push(report),
    });
    await expect(within(connection.client.get('a'), 3000, 'a refusal')).rejects.toThrow(/isn't writeable/);
    await expect(within(untilReady(connection, 600), 3000, 'the deadline')).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      condition: 'unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    expect(reports).toHaveLength(1);
    await closeConnection(connection, 500);
    expect(connection.client.status).toBe('end');
  });

  test('a Cluster that is not there behaves alike', async () => {
    const connection = connect(`redis+cluster://127.0.0.1:${await freePort()}`, 'commands');
    await expect(untilReady(connection, 300)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await within(closeConnection(connection, 500), 3000, 'the close');
  });

  test('Sentinels that are not there behave alike', async () => {
    const connection = connect(`redis+sentinel://127.0.0.1:${await freePort()}/main`, 'commands');
    await expect(untilReady(connection, 300)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await closeConnection(connection, 500);
  });

  test('a peer that accepts and says nothing does not hold up a close', async () => {
    const sockets: Socket[] = [];
    const silent: Server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const connection = connect(`redis://127.0.0.1:${port}`, 'commands');
    await expect(untilReady(connection, 100)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await closeConnection(connection, 400);
    expect(connection.client.status).toBe('end');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('a bad URL is refused before anything is connected', () => {
    expect(() => connectRedis('redis://:Zq9secret@h:bad', 'commands')).toThrow(
      expect.objectContaining({ code: 'REDIS_URL_INVALID' }),
    );
  });
});

describe('Redis Cluster', () => {
  let server: LocalRedis;
  beforeAll(async () => {
    server = await startRedis({
      args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-require-full-coverage', 'no'],
    });
    const admin = connectRedis(server.url, 'commands');
    await admin.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await eventually(async () => String(await admin.client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
    await closeConnection(admin);
  });
  afterAll(() => server.stop());
  const clusterUrl = (): string => server.url.replace('redis://', 'redis+cluster://');

  test('scripts, the start-up guard, a restart and closing work', async () => {
    const connection = connect(clusterUrl(), 'commands');
    await untilReady(connection, READY_MS);
    const { client } = connection;
    expect(isCluster(client)).toBe(true);
    const script = defineScript({ name: 'count', lua: "return redis.call('INCR', KEYS[1])" });
    await loadScripts(client, [script]);
    expect(await runScript(client, script, ['{a}:n'])).toBe(1);
    await client.call('SCRIPT', 'FLUSH');
    expect(await Promise.all([1, 2, 3].map((key) => runScript(client, script, [`{${key}}:n`])))).toEqual([1, 1, 1]);
    expect(await checkRedis(client, { namespace: 'fl', partitions: 8 })).toMatchObject({ ok: true, created: true });
    await server.kill9();
    await server.restart();
    expect(
      Number(await retryTransient(() => runScript(client, script, ['{a}:n']), { deadlineMs: 10_000 })),
    ).toBeGreaterThan(1);
    await within(closeConnection(connection, 1000), 4000, 'the close');
  });

  test('closing a connection to a frozen Cluster ends in its time', async () => {
    const connection = connect(clusterUrl(), 'commands');
    await untilReady(connection, READY_MS);
    server.pause();
    await within(closeConnection(connection, 500), 3000, 'the close');
    server.resume();
  });
});

describe('Sentinel', () => {
  test('the master is found by its name', async () => {
    const server = await startRedis();
    const port = await freePort();
    const file = join(server.dir, 'sentinel.conf');
    const sentinel = await launchSentinel({ file, port, masterPort: server.port, downAfterMs: 3000 });
    await sentinel.process.waitForLine(/\+monitor master flotilla/);
    const connection = connect(sentinelUrl([port]), 'commands');
    await untilReady(connection, READY_MS);
    expect(await connection.client.set('a', '1')).toBe('OK');
    expect(await closeConnection(connection, 30_000)).toBe('quit');
    await sentinel.process.stop();
    await server.stop();
  });
});

describe('settings', () => {
  test('reconnects come after 50 ms to 1 s, spread by half', () => {
    expect([1, 2, 3, 5, 100].map((times) => reconnectDelayMs(times, () => 0))).toEqual([50, 100, 200, 500, 500]);
    expect([1, 2, 3, 5, 100].map((times) => reconnectDelayMs(times, () => 1))).toEqual([100, 200, 400, 1000, 1000]);
  });

  test('a repeated error is told once in ten seconds, with the number kept back', () => {
    let nowMs = 0;
    const reports: ConnectionErrorReport[] = [];
    const report = limitReports(
      (found) => reports.push(found),
      () => nowMs,
    );
    for (; nowMs < 25_000; nowMs += 1000) report(new Error('down'));
    report(new Error('other'));
    expect(reports.map(({ message, suppressed }) => [message, suppressed])).toEqual([
      ['down', 0],
      ['down', 9],
      ['down', 9],
      ['other', 0],
    ]);
  });

  test('the error of several addresses is told by its first', () => {
    const reports: ConnectionErrorReport[] = [];
    limitReports((found) => reports.push(found))(new AggregateError([new Error('connect ECONNREFUSED ::1')]));
    expect(reports[0]?.message).toBe('connect ECONNREFUSED ::1');
  });
});
