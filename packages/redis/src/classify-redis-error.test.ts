import { rm } from 'node:fs/promises';
import { eventually, type LocalRedis, startRedis } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import {
  classifyRedisError,
  isTransientRedisError,
  mayHaveTakenEffect,
  withoutArguments,
} from './classify-redis-error.ts';
import { defineScript, runScript } from './run-script.ts';

const failure = async (call: Promise<unknown>): Promise<Error> => {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error('the call succeeded');
};

describe('errors of a real Redis', () => {
  let server: LocalRedis;
  let redis: Redis;
  let other: Redis;
  beforeAll(async () => {
    server = await startRedis({ appendOnly: false, args: ['--busy-reply-threshold', '20'] });
    redis = new Redis(server.port);
    other = new Redis(server.port);
  });
  afterEach(async () => {
    await redis.config('SET', 'maxmemory', '0');
    await redis.config('SET', 'min-replicas-to-write', '0');
    await redis.replicaof('NO', 'ONE');
  });
  afterAll(async () => {
    redis.disconnect();
    other.disconnect();
    await server.stop();
  });

  test.each([
    ['a plain write', () => redis.set('a', '1')],
    [
      'a script',
      () => runScript(redis, defineScript({ name: 'write', lua: "return redis.call('SET', KEYS[1], 'x')" }), ['a']),
    ],
    [
      'a script with flags',
      () => runScript(redis, defineScript({ name: 'w', lua: "#!lua\nreturn redis.call('SET', KEYS[1], 'x')" }), ['a']),
    ],
  ])('%s into a full memory is out-of-memory and has had no effect', async (_what, write) => {
    await redis.config('SET', 'maxmemory', '1');
    const error = await failure(write());
    expect(classifyRedisError(error)).toBe('out-of-memory');
    expect(mayHaveTakenEffect(error)).toBe(false);
  });

  test('a script that may write in a full memory does', async () => {
    await redis.config('SET', 'maxmemory', '1');
    const lua = "#!lua flags=allow-oom\nredis.call('SET', KEYS[1], 'x') return 'done'";
    expect(await runScript(redis, defineScript({ name: 'allowed', lua }), ['b'])).toBe('done');
  });

  test('a write to a replica is read-only', async () => {
    await redis.replicaof('127.0.0.1', 1);
    expect(classifyRedisError(await failure(redis.set('a', '1')))).toBe('read-only');
    const script = defineScript({ name: 'replica', lua: "return redis.call('SET', KEYS[1], 'y')" });
    expect(classifyRedisError(await failure(runScript(redis, script, ['a'])))).toBe('read-only');
  });

  test('a write without enough replicas is no-replicas', async () => {
    await redis.config('SET', 'min-replicas-to-write', '1');
    expect(classifyRedisError(await failure(redis.set('a', '1')))).toBe('no-replicas');
  });

  test('a call during an endless script is busy', async () => {
    const endless = failure(redis.eval('while true do end', 0) as Promise<unknown>);
    const busy = await eventually(() =>
      other.get('a').then(
        () => undefined,
        (error: Error) => error,
      ),
    );
    expect(classifyRedisError(busy)).toBe('busy');
    await other.script('KILL');
    expect(isTransientRedisError(await endless)).toBe(false);
  });

  test('a disk that cannot be written is disk', async () => {
    const broken = await startRedis({ appendOnly: false });
    const client = new Redis(broken.port);
    try {
      await client.config('SET', 'save', '3600 1');
      await rm(broken.dir, { recursive: true });
      await client.bgsave();
      const error = await eventually(() =>
        client.set('a', '1').then(
          () => undefined,
          (found: Error) => found,
        ),
      );
      expect(classifyRedisError(error)).toBe('disk');
      const script = defineScript({ name: 'disk', lua: "return redis.call('SET', KEYS[1], 'y')" });
      expect(classifyRedisError(await failure(runScript(client, script, ['a'])))).toBe('disk');
    } finally {
      client.disconnect();
      await broken.kill9(); // it would refuse to end in order, because it cannot save
      await broken.stop();
    }
  });

  test('a wrong call is not transient', async () => {
    await redis.del('text');
    await redis.set('text', 'x');
    expect(classifyRedisError(await failure(redis.lpush('text', '1')))).toBeUndefined();
    expect(classifyRedisError(await failure(redis.eval('return nil + 1', 0) as Promise<unknown>))).toBeUndefined();
    expect(classifyRedisError(await failure(redis.xgroup('CREATE', 'none', 'g', '0')))).toBeUndefined();
  });
});

describe('classifyRedisError', () => {
  test.each([
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'read-only'],
    ['CLUSTERDOWN The cluster is down', 'cluster-down'],
    ['TRYAGAIN Multiple keys request during rehashing of slot', 'cluster-down'],
    ['Too many Cluster redirections. Last error: Error: Connection is closed.', 'cluster-down'],
    ['Command timed out', 'timeout'],
    ["Socket timeout. Expecting data, but didn't receive any in 12000ms.", 'timeout'],
    ['Connection is closed.', 'unreachable'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'unreachable'],
    ['All sentinels are unreachable. Retrying from scratch after 10ms.', 'unreachable'],
    ['ERR max number of clients reached', 'too-many-clients'],
    ['BUSYGROUP Consumer Group name already exists', undefined],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'access-denied'],
    ['NOAUTH Authentication required.', 'access-denied'],
    ["NOPERM User fl has no permissions to run the 'fcall' command", 'access-denied'],
    ["ERR The user executing the script can't run this command or subcommand script: x", 'access-denied'],
    ['ERR invalid password', 'access-denied'],
    ['NOSCRIPT No matching script.', undefined],
    ['ERR unknown command', undefined],
    ['constructor is not a function', undefined],
  ])('%s -> %s', (message, condition) => {
    expect(classifyRedisError(new Error(message))).toBe(condition);
  });

  test('network errors go by their code', () => {
    expect(classifyRedisError(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe('unreachable');
    expect(classifyRedisError(Object.assign(new Error('x'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }))).toBeUndefined();
  });

  test('a transaction goes by what refused its commands', () => {
    const error = Object.assign(new Error('EXECABORT Transaction discarded because of previous errors.'), {
      previousErrors: [new Error("OOM command not allowed when used memory > 'maxmemory'.")],
    });
    expect(classifyRedisError(error)).toBe('out-of-memory');
  });

  test.each([null, undefined, 'LOADING', { message: 'LOADING x' }, 7])('%p is nothing of Redis', (value) => {
    expect(classifyRedisError(value)).toBeUndefined();
  });

  test('only a call that was sent and not answered may have taken effect', () => {
    expect(mayHaveTakenEffect(new Error('Command timed out'))).toBe(true);
    expect(mayHaveTakenEffect(new Error('Connection is closed.'))).toBe(true);
    expect(mayHaveTakenEffect(new Error("Stream isn't writeable and enableOfflineQueue options is false"))).toBe(false);
    expect(mayHaveTakenEffect(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe(false);
    expect(mayHaveTakenEffect(new Error('LOADING x'))).toBe(false);
  });

  test('withoutArguments leaves the name of the command only', () => {
    const error = Object.assign(new Error('x'), { command: { name: 'auth', args: ['secret'] } });
    expect(withoutArguments(error)).toMatchObject({ command: { name: 'auth', args: [] } });
  });
});
