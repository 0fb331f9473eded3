import { describe, expect, test } from '@jest/globals';
import { commandName, needsEmbeddedRedis, serverSettings } from './run-with-redis.mjs';

describe('what a command needs', () => {
  test('the name of the command is its first argument that is no option', () => {
    expect(commandName(['--json', 'ps', '--all'])).toBe('ps');
    expect(commandName(['--version'])).toBeUndefined();
  });

  test('only "up" without REDIS_URL needs a Redis of its own', () => {
    expect(needsEmbeddedRedis(['up', '--workers', '3'], {})).toBe(true);
    expect(needsEmbeddedRedis(['up'], { REDIS_URL: 'redis://127.0.0.1:6379' })).toBe(false);
    expect(needsEmbeddedRedis(['up', '--help'], {})).toBe(false);
    expect(needsEmbeddedRedis(['run', 'up.yaml'], {})).toBe(false);
  });

  test('a server that was unpacked is passed on together with its libraries', () => {
    expect(serverSettings({ path: '/r', libraryPath: '/l', version: '7.0.15', origin: '' })).toEqual({
      FLOTILLA_REDIS_SERVER: '/r',
      FLOTILLA_REDIS_LIBRARY_PATH: '/l',
    });
    expect(serverSettings(undefined)).toEqual({});
  });
});
