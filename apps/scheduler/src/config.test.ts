import { FlotillaError, isLoopbackHost } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { readSchedulerConfig } from './config.ts';

function problemsOf(environment: Record<string, string>): string[] {
  try {
    readSchedulerConfig(environment);
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    for (const { path } of error.problems) expect(error.message).toContain(path.slice(1));
    return error.problems.map(({ path }) => path);
  }
  return [];
}

describe('readSchedulerConfig', () => {
  test('has a default for everything', () => {
    expect(readSchedulerConfig({})).toMatchObject({
      redisUrl: 'redis://127.0.0.1:6379',
      host: '127.0.0.1',
      port: 7070,
      apiKeys: [],
      namespace: 'fl',
      partitions: 8,
      allowVolatile: false,
      retentionMs: 604_800_000,
      idempotencyTtlMs: 691_200_000,
      logLevel: 'info',
    });
  });

  test('reads what is set, and takes what is set to nothing as not set', () => {
    const environment = {
      FLOTILLA_HOST: '0.0.0.0',
      FLOTILLA_PORT: '0',
      FLOTILLA_API_KEYS: ' first-key-of-sixteen , second-key-of-sixteen,',
      FLOTILLA_ALLOW_VOLATILE: 'true',
      FLOTILLA_PARTITIONS: '',
    };
    expect(readSchedulerConfig(environment)).toMatchObject({
      host: '0.0.0.0',
      port: 0,
      apiKeys: ['first-key-of-sixteen', 'second-key-of-sixteen'],
      allowVolatile: true,
      partitions: 8,
    });
  });

  test('tells all problems at once', () => {
    const environment = {
      FLOTILLA_HOST: '0.0.0.0',
      FLOTILLA_PORT: '70700',
      FLOTILLA_PARTITIONS: '0',
      FLOTILLA_LOG_LEVEL: 'loud',
      FLOTILLA_RETENTION_MS: '7d',
      FLOTILLA_NAMESPACE: 'a:b',
    };
    expect(problemsOf(environment).sort()).toEqual([
      '/FLOTILLA_HOST',
      '/FLOTILLA_LOG_LEVEL',
      '/FLOTILLA_NAMESPACE',
      '/FLOTILLA_PARTITIONS',
      '/FLOTILLA_PORT',
      '/FLOTILLA_RETENTION_MS',
    ]);
  });

  test('never shows a key', () => {
    expect(problemsOf({ FLOTILLA_API_KEYS: 'hunter2' })).toEqual(['/FLOTILLA_API_KEYS']);
    expect(() => readSchedulerConfig({ FLOTILLA_API_KEYS: 'hunter2' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });

  test.each(['0.0.0.0', '::', '192.168.1.7', 'flotilla.example', '127.0.0.1.example'])(
    'refuses to bind %s without API keys',
    (host) => {
      expect(problemsOf({ FLOTILLA_HOST: host })).toEqual(['/FLOTILLA_HOST']);
      expect(problemsOf({ FLOTILLA_HOST: host, FLOTILLA_API_KEYS: 'key-of-sixteen-characters' })).toEqual([]);
    },
  );

  test('refuses keys that are forgotten before the runs they made', () => {
    const environment = { FLOTILLA_RETENTION_MS: '700000000', FLOTILLA_IDEMPOTENCY_TTL_MS: '600000000' };
    expect(problemsOf(environment)).toEqual(['/FLOTILLA_IDEMPOTENCY_TTL_MS']);
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['localhost', true],
  ['::1', true],
  ['[::1]', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.example', false],
  ['10.0.0.1', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});
