import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { findRedisServer, type LocalRedis, startRedis } from './index.ts';

const started: LocalRedis[] = [];
const start = async (options: Parameters<typeof startRedis>[0] = {}): Promise<LocalRedis> => {
  const redis = await startRedis(options);
  started.push(redis);
  return redis;
};
afterEach(async () => {
  for (const redis of started.splice(0)) await redis.stop();
});

/** One inline command, the raw answer. */
function ask(port: number, command: string, timeoutMs = 1000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.write(`${command}\r\n`);
  });
}

describe('startRedis', () => {
  test('a killed server that is restarted has the same port and data', async () => {
    const redis = await start();
    expect(await ask(redis.port, 'SET a 1')).toBe('+OK\r\n');
    await redis.kill9();
    await expect(ask(redis.port, 'GET a')).rejects.toThrow(/ECONNREFUSED/);
    await redis.restart();
    expect(await ask(redis.port, 'GET a')).toBe('$1\r\n1\r\n');
  });

  test('a paused server answers nothing until it is resumed', async () => {
    const redis = await start({ appendOnly: false });
    redis.pause();
    await expect(ask(redis.port, 'PING', 100)).rejects.toThrow('no answer');
    redis.resume();
    expect(await ask(redis.port, 'PING')).toBe('+PONG\r\n');
  });

  test('stopping ends a paused server and removes its folder', async () => {
    const redis = await start();
    redis.pause();
    await redis.stop();
    expect(existsSync(redis.dir)).toBe(false);
    await redis.stop();
  });

  test('a server that cannot start tells why', async () => {
    await expect(start({ args: ['--no-such-setting', '1'] })).rejects.toThrow(/no-such-setting/);
  });

  test('a server with a password counts as ready', async () => {
    const redis = await start({ args: ['--requirepass', 'x'] });
    expect(await ask(redis.port, 'PING')).toContain('NOAUTH');
  });
});

describe('findRedisServer', () => {
  test('the named binary wins over PATH', () => {
    expect(findRedisServer({ FLOTILLA_REDIS_SERVER: '/opt/redis-server', PATH: '/usr/bin' })).toBe('/opt/redis-server');
  });

  test('an empty PATH finds none', () => {
    expect(findRedisServer({ PATH: '' })).toBeUndefined();
  });
});
