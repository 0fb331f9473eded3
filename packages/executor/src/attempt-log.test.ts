import type { KeptLine } from '@flotilla/state';
import { describe, expect, test } from '@jest/globals';
import { AttemptLog } from './attempt-log.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function createLog(store?: (lines: readonly KeptLine[]) => Promise<void>) {
  const kept: { lines: readonly KeptLine[]; chunk: number; dropped: number }[] = [];
  const log = new AttemptLog({
    logger: silent,
    attempt: 2,
    now: () => 1000.4,
    store: async (lines, about) => {
      await store?.(lines);
      kept.push({ lines, ...about });
    },
  });
  return { log, kept, lines: () => kept.flatMap(({ lines }) => lines) };
}

describe('what a handler logs', () => {
  test('is kept in order, with level, time and attempt', async () => {
    const { log, lines } = createLog();
    log.info({ order: 7 }, 'paid');
    log.error({}, 'no');
    await log.end();
    expect(lines()).toEqual([
      { at: 1000, attempt: 2, level: 'info', message: 'paid', fields: { order: 7 } },
      { at: 1000, attempt: 2, level: 'error', message: 'no' },
    ]);
  });

  test('holds no secret', async () => {
    const { log, lines } = createLog();
    log.info({ password: 'canary', headers: { authorization: 'Bearer canary' } }, 'called with Bearer canarycanary');
    await log.end();
    expect(JSON.stringify(lines())).not.toContain('canary');
  });

  test('is cut when a line is too long, and says so', async () => {
    const { log, lines } = createLog();
    log.info({}, 'x'.repeat(9000));
    log.info({ much: 'y'.repeat(9000) }, 'short');
    await log.end();
    expect(lines().map(({ message, cut }) => [message.length, cut])).toEqual([
      [4000, true],
      [5, true],
    ]);
  });

  test('goes out in chunks that are numbered', async () => {
    const { log, kept } = createLog();
    for (let line = 0; line < 250; line += 1) log.info({}, `line ${line}`);
    await log.end();
    expect(kept.map(({ chunk, lines }) => [chunk, lines.length])).toEqual([
      [0, 100],
      [1, 100],
      [2, 50],
    ]);
  });

  test('is dropped from the oldest on when it comes faster than it can be stored, and that is counted', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { log, kept, lines } = createLog(() => gate);
    for (let line = 0; line < 2000; line += 1) log.info({}, `line ${line}`);
    open();
    await log.end();
    const dropped = kept.reduce((sum, chunk) => sum + chunk.dropped, 0);
    expect(lines().length + dropped).toBe(2000);
    expect(lines().at(-1)?.message).toBe('line 1999');
    expect(dropped).toBeGreaterThan(1000);
  });

  test('that cannot be stored fails nothing, and is counted with what comes next', async () => {
    let isAway = true;
    const { log, kept } = createLog(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve()));
    log.info({}, 'lost');
    await log.end();
    isAway = false;
    log.info({}, 'kept');
    await log.end();
    expect(kept).toMatchObject([{ dropped: 1, lines: [{ message: 'kept' }] }]);
  });
});
