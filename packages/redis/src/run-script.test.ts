import { type LocalRedis, startRedis } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import { defineScript, loadScripts, runScript } from './run-script.ts';

const echo = defineScript({ name: 'echo', lua: 'return {KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[2]), false}' });
const increment = defineScript({ name: 'increment', numberOfKeys: 1, lua: "return redis.call('INCR', KEYS[1])" });
const broken = defineScript({ name: 'broken', lua: "return redis.error_reply('FENCED refused')" });

let server: LocalRedis;
let connection: RedisConnection;
beforeAll(async () => {
  server = await startRedis({ appendOnly: false });
  connection = connectRedis(server.url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => connection.client.flushall());
afterAll(async () => {
  await closeConnection(connection, 1000);
  await server.stop();
});

const calls = async (): Promise<Map<string, number>> => {
  const stats = await connection.client.info('commandstats');
  return new Map(
    [...stats.matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g)].map(([, name = '', count]) => [name, Number(count)]),
  );
};

describe('runScript', () => {
  test('text, numbers, null and UTF-8 come back as what they are', async () => {
    expect(await runScript(connection.client, echo, ['ключ'], ['für 🚀', 7])).toEqual(['ключ', 'für 🚀', '7', 7, null]);
    expect(await runScript(connection.client, echo, ['k'], [Buffer.from('bytes'), 1])).toEqual([
      'k',
      'bytes',
      '1',
      1,
      null,
    ]);
  });

  test('the text is sent only when the server does not know the script', async () => {
    await connection.client.script('FLUSH');
    await connection.client.config('RESETSTAT');
    for (let call = 1; call <= 5; call += 1) expect(await runScript(connection.client, increment, ['n'])).toBe(call);
    expect(Object.fromEntries(await calls())).toMatchObject({ eval: 1, evalsha: 5 });
  });

  test('of many calls at once that find the script unknown one sends the text', async () => {
    await connection.client.script('FLUSH');
    await connection.client.config('RESETSTAT');
    const results = await Promise.all(
      Array.from({ length: 200 }, () => runScript(connection.client, increment, ['m'])),
    );
    expect([...results].sort((one, two) => Number(one) - Number(two))).toEqual(
      Array.from({ length: 200 }, (_, i) => i + 1),
    );
    expect((await calls()).get('eval')).toBe(1);
  });

  test('no call fails or doubles while scripts are flushed in between', async () => {
    const results = await Promise.all(
      Array.from({ length: 300 }, async (_, call) => {
        if (call % 20 === 0) await connection.client.script('FLUSH');
        return runScript(connection.client, increment, ['f']);
      }),
    );
    expect(new Set(results).size).toBe(300);
    expect(await connection.client.get('f')).toBe('300');
  });

  test('an error of the script rejects with its text and without the arguments', async () => {
    for (const flush of [true, false]) {
      if (flush) await connection.client.script('FLUSH');
      const error = await runScript(connection.client, broken, [], ['private']).catch((found: unknown) => found);
      expect(error).toMatchObject({ message: expect.stringContaining('FENCED'), command: { args: [] } });
    }
  });

  test('a wrong number of keys is refused', async () => {
    await expect(runScript(connection.client, increment, [])).rejects.toThrow('script increment takes 1 keys, not 0');
  });

  test('loaded scripts need no text', async () => {
    await connection.client.script('FLUSH');
    await loadScripts(connection.client, [echo, increment]);
    await connection.client.config('RESETSTAT');
    await runScript(connection.client, increment, ['n']);
    expect((await calls()).get('eval')).toBeUndefined();
  });
});
