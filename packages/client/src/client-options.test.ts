import { afterEach, describe, expect, test } from '@jest/globals';
import { readSettings } from './client-options.ts';

afterEach(() => {
  delete process.env['FLOTILLA_URL'];
  delete process.env['FLOTILLA_API_KEY'];
});

describe('readSettings', () => {
  test('has a default for everything', () => {
    expect(readSettings({})).toEqual({
      url: 'http://127.0.0.1:7070',
      apiKey: undefined,
      deadlineMs: 10_000,
      retry: { maxAttempts: 5, initialMs: 100, maxMs: 2000 },
    });
  });

  test('prefers what is given over the environment, and that over the default', () => {
    process.env['FLOTILLA_URL'] = 'http://one:1/';
    process.env['FLOTILLA_API_KEY'] = 'key';
    expect(readSettings({})).toMatchObject({ url: 'http://one:1', apiKey: 'key' });
    expect(readSettings({ url: 'https://two/flotilla//', apiKey: 'other', retry: false })).toMatchObject({
      url: 'https://two/flotilla',
      apiKey: 'other',
      retry: { maxAttempts: 1 },
    });
  });

  test.each(['', 'nonsense', 'redis://127.0.0.1', 'file:///etc/passwd'])('refuses the URL %j', (url) => {
    expect(() => readSettings({ url })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
