import { createLogger } from '@flotilla/telemetry';
import { eventually } from '@flotilla/testing';
import { afterEach, expect, test } from '@jest/globals';
import { Loop } from './loop.ts';

let loop: Loop;
afterEach(() => loop.stop());

const HOUR_MS = 3_600_000;
const logger = createLogger({ name: 'loop-test', level: 'silent' });

test('a loop that is woken while it waits begins its next turn', async () => {
  let turns = 0;
  const turn = async () => {
    turns += 1;
    return undefined;
  };
  loop = new Loop({ name: 'test', turn, intervalMs: HOUR_MS, logger });
  loop.start();
  await eventually(async () => turns === 1);
  loop.wake();
  await eventually(async () => turns === 2);
});

test('a loop that is woken in the middle of a turn does not wait after it', async () => {
  let turns = 0;
  loop = new Loop({
    name: 'test',
    turn: async () => {
      turns += 1;
      if (turns === 1) loop.wake();
      return undefined;
    },
    intervalMs: HOUR_MS,
    logger,
  });
  loop.start();
  await eventually(async () => turns === 2);
});

test('a loop that waits for an hour stops at once', async () => {
  loop = new Loop({ name: 'test', turn: async () => undefined, intervalMs: HOUR_MS, logger });
  loop.start();
  await loop.stop();
  expect(loop.idleMs).toBeLessThan(HOUR_MS);
});
