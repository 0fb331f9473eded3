import { describe, expect, test } from '@jest/globals';
import { isLimitUsedUp, parseRetryAfter, retryAfterOfHeaders } from './retry-after.ts';

const NOW_MS = Date.parse('2024-01-01T00:00:00Z');
const NOW_S = NOW_MS / 1000;
const waitOf = (headers: Record<string, string>, nowMs: number | undefined = NOW_MS) =>
  retryAfterOfHeaders((name) => headers[name], nowMs);

describe('the wait that headers ask for', () => {
  test.each([
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': 'Mon, 01 Jan 2024 00:00:10 GMT' }, 10_000],
    [{ 'retry-after': 'Mon, 01 Jan 2024 00:00:10 GMT', date: 'Mon, 01 Jan 2024 00:00:08 GMT' }, 2000],
    [{ 'retry-after': 'Mon, 01 Jan 2020 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '99999999999' }, 31_536_000_000],
    [{ 'retry-after-ms': '250' }, 250],
    [{ 'retry-after': '3', 'x-ratelimit-reset': '60' }, 3000],
    [{ 'x-ratelimit-reset': '60' }, 60_000],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_S + 90) }, 90_000],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_MS + 1500) }, 1500],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_S - 5) }, 0],
    [
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_S), date: 'Sun, 31 Dec 2023 23:59:30 GMT' },
      30_000,
    ],
    [{ 'x-ratelimit-remaining': '7', 'x-ratelimit-reset': '60' }, undefined],
    [{ 'x-rate-limit-remaining': '0', 'x-rate-limit-reset': '2' }, 2000],
    [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '4' }, 4000],
    [{ ratelimit: '"burst";r=0;t=30' }, 30_000],
    [{ ratelimit: 'limit=10, remaining=0, reset=5' }, 5000],
    [{ ratelimit: '"burst";r=3;t=30' }, undefined],
    [{ ratelimit: 'x'.repeat(300) }, undefined],
    [{ 'x-ratelimit-reset': 'never' }, undefined],
    [{}, undefined],
  ] as [Record<string, string>, number | undefined][])('%j is %p ms', (headers, waitMs) => {
    expect(waitOf(headers)).toBe(waitMs);
  });

  test('is not known when it is a time and no clock is at hand', () => {
    const read = (name: string) => ({ 'x-ratelimit-reset': String(NOW_S + 9) })[name];
    expect(retryAfterOfHeaders(read, undefined)).toBeUndefined();
    expect(parseRetryAfter('Mon, 01 Jan 2024 00:00:10 GMT', undefined)).toBeUndefined();
  });
});

test('whether a limit is used up is told by what remains of it', () => {
  expect(isLimitUsedUp((name) => ({ 'x-ratelimit-remaining': '0' })[name])).toBe(true);
  expect(isLimitUsedUp((name) => ({ 'x-ratelimit-remaining': '1' })[name])).toBe(false);
  expect(isLimitUsedUp((name) => ({ ratelimit: '"a";r=0;t=1' })[name])).toBe(true);
  expect(isLimitUsedUp(() => undefined)).toBeUndefined();
});
