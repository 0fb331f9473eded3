import { type LocalRedis, startRedis } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
import { defineLibrary, runFunction } from './run-function.ts';

const definitions = {
  echo: {
    lua: 'return function(arguments) return { arguments[1], arguments[2], tonumber(arguments[2]), false } end',
    allowOom: true,
  },
  count: { lua: "return function(arguments) return redis.call('INCR', arguments[1]) end", allowOom: false },
  count_full: { lua: "return function(arguments) return redis.call('INCR', arguments[1]) end", allowOom: true },
  calls: { lua: 'local calls = 0 return function() calls = calls + 1 return calls end', allowOom: true },
  broken: { lua: "return function() return redis.error_reply('FENCED refused') end", allowOom: true },
  wrong: { lua: "return function(arguments) return redis.call('NOSUCH', arguments[1]) end", allowOom: true },
};
const functions = defineLibrary('flotilla_test', definitions);
const library = functions.echo.library;

let server: LocalRedis;
let connection: RedisConnection;
beforeAll(async () => {
  server = await startRedis({ appendOnly: false });
});
beforeEach(async () => {
  // A new client: what one remembers of the server's rights is its own.
  if (connection !== undefined) await closeConnection(connection, 1000);
  connection = connectRedis(server.url, 'commands');
  await untilReady(connection, 60_000);
  await connection.client.flushall();
  await connection.client.call('FUNCTION', 'FLUSH');
  await connection.client.config('RESETSTAT');
});
afterAll(async () => {
  await closeConnection(connection, 1000);
  await server.stop();
});

async function callsOf(command: string): Promise<number> {
  const stats = await connection.client.info('commandstats');
  return Number(new RegExp(`cmdstat_${command.replace('|', '\\|')}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

const libraries = async (): Promise<string[]> =>
  JSON.stringify(await connection.client.call('FUNCTION', 'LIST')).match(/(?<="library_name",")\w+/g) ?? [];

/** Runs with a client that has fewer rights. */
async function withRights(rights: readonly string[], work: (limited: RedisConnection) => Promise<void>): Promise<void> {
  await connection.client.call('ACL', 'SETUSER', 'limited', 'reset', 'on', '>secret', '~*', '+@all', ...rights);
  const url = new URL(server.url);
  url.username = 'limited';
  url.password = 'secret';
  const limited = connectRedis(url.href, 'commands');
  await untilReady(limited, 60_000);
  try {
    await work(limited);
  } finally {
    await closeConnection(limited, 1000);
    await connection.client.call('ACL', 'DELUSER', 'limited');
  }
}

describe('a function of a library', () => {
  test('gets its arguments and answers text, numbers and null', async () => {
    expect(await runFunction(connection.client, functions.echo, ['k'], ['für', 7])).toEqual(['für', '7', 7, null]);
  });

  test('is loaded once by a thousand calls that find it unknown, and each takes effect once', async () => {
    const { client } = connection;
    const counts = await Promise.all(
      Array.from({ length: 1000 }, () => runFunction(client, functions.count, ['n'], ['n'])),
    );
    expect(new Set(counts).size).toBe(1000);
    expect(await callsOf('function|load')).toBe(1);
    expect(await callsOf('eval')).toBe(0);
  });

  test('keeps from call to call what its chunk has at the top', async () => {
    expect(await runFunction(connection.client, functions.calls, ['k'])).toBe(1);
    expect(await runFunction(connection.client, functions.calls, ['k'])).toBe(2);
  });

  test('is loaded again when the server has lost it in between', async () => {
    for (let call = 1; call <= 3; call += 1) {
      expect(await runFunction(connection.client, functions.count, ['n'], ['n'])).toBe(call);
      await connection.client.call('FUNCTION', 'FLUSH');
    }
    expect(await callsOf('function|load')).toBe(3);
  });

  test('rejects with its own error and without the arguments', async () => {
    const { client } = connection;
    for (const called of [functions.broken, functions.wrong]) {
      const error = await runFunction(client, called, ['k'], ['private']).catch((found: unknown) => found);
      expect(error).toMatchObject({
        message: expect.stringMatching(/FENCED|Unknown Redis command/),
        command: { args: [] },
      });
    }
  });

  test('of another content belongs to another library, and both are there', async () => {
    const next = defineLibrary('flotilla_test', {
      ...definitions,
      more: { lua: 'return function() return 1 end', allowOom: true },
    });
    await runFunction(connection.client, functions.echo, ['k'], ['a', 1]);
    await runFunction(connection.client, next.more, ['k']);
    expect((await libraries()).sort()).toEqual([library.name, next.more.library.name].sort());
  });

  test('takes the libraries of many former releases away, and whoever still uses one loads it again', async () => {
    const { client } = connection;
    for (let release = 0; release < 12; release += 1) {
      const lua = `return function() return ${release} end`;
      await runFunction(client, defineLibrary('flotilla_test', { release: { lua, allowOom: true } }).release, ['k']);
    }
    expect((await libraries()).length).toBeLessThanOrEqual(9);
    expect(await runFunction(client, functions.count, ['n'], ['n'])).toBe(1);
  });
});

describe('the same as a script', () => {
  test.each([
    ['may not load', ['-function|load']],
    ['may not call functions', ['-fcall']],
    ['knows no functions', ['-fcall', '-function']],
  ])('runs where the user %s', async (_, rights) => {
    await withRights(rights, async ({ client }) => {
      for (let call = 1; call <= 3; call += 1) {
        expect(await runFunction(client, functions.count, ['n'], ['n'])).toBe(call);
      }
      expect(await libraries()).toEqual([]);
      // It is not asked for at every call.
      expect(await callsOf('evalsha')).toBe(3);
    });
  });

  test('runs while Redis is too full to load the library, if it may then; what may not is refused', async () => {
    const { client } = connection;
    await client.set('ballast', 'x'.repeat(1000));
    await client.config('SET', 'maxmemory', '1');
    try {
      expect(await runFunction(client, functions.count_full, ['n'], ['n'])).toBe(1);
      await expect(runFunction(client, functions.count, ['n'], ['n'])).rejects.toThrow('OOM');
    } finally {
      await client.config('SET', 'maxmemory', '0');
    }
  });
});
