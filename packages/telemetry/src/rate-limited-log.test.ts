import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createLogger } from './create-logger.ts';
import { createRateLimitedLog } from './rate-limited-log.ts';

let nowMs = 0;
let lines: Record<string, unknown>[] = [];
const logger = createLogger({ name: 'w', destination: { write: (line: string) => lines.push(JSON.parse(line)) } });
beforeEach(() => {
  nowMs = 0;
  lines = [];
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});
const create = (): ReturnType<typeof createRateLimitedLog> => createRateLimitedLog({ logger, nowMs: () => nowMs });

describe('createRateLimitedLog', () => {
  test('thirty thousand errors in 13 s make one line a second that tells how many were kept back', () => {
    const log = create();
    for (let error = 0; error < 30_000; error += 1) {
      nowMs = (error * 13_000) / 30_000;
      log.write('MISCONF', 'error', { event: 'redis.retry' }, 'disk full');
    }
    log.close();
    expect(lines.length).toBeLessThanOrEqual(14);
    const told = lines.reduce((sum, { suppressed = 0 }) => sum + Number(suppressed), 0);
    const written = lines.filter(({ msg }) => msg === 'disk full').length;
    expect(told + written).toBe(30_000);
  });

  test('many keys together stay under the common limit', () => {
    const log = create();
    for (let key = 0; key < 10_000; key += 1) log.write(`run-${key}`, 'warn', {}, 'failed');
    expect(lines.filter(({ msg }) => msg === 'failed')).toHaveLength(8);
    expect(lines.length).toBeLessThan(40);
    log.close();
  });

  test('another key is not held back by a storm of one', () => {
    const log = create();
    for (let error = 0; error < 100; error += 1) log.write('a', 'error', {}, 'a');
    expect(log.write('b', 'error', {}, 'b')).toBe(true);
    log.close();
  });

  test('what was kept back is told when the storm is over', () => {
    const log = create();
    log.write('a', 'error', {}, 'a');
    log.write('a', 'error', {}, 'a');
    jest.advanceTimersByTime(5000);
    expect(lines.at(-1)).toMatchObject({ event: 'log.lines-suppressed', suppressed: 1, keys: ['a'] });
    log.close();
    expect(lines).toHaveLength(2);
  });
});
