import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { LoopTurns } from './loop-turns.ts';

function workFor(processorMs: number): void {
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < processorMs * 1000);
}

/** Turns of the event loop, counted until stopped. */
function countTurns(): { turns: () => number; stop: () => void } {
  let [turns, going] = [0, true];
  const count = async () => {
    for (; going; await nextTurn()) turns += 1;
  };
  void count();
  return {
    turns: () => turns,
    stop: () => {
      going = false;
    },
  };
}

describe('turns of the event loop', () => {
  test('are given to others between pieces that together take long', async () => {
    const loop = new LoopTurns();
    const counter = countTurns();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        loop.run(() => {
          workFor(12);
          return index;
        }),
      ),
    );
    counter.stop();
    expect(results).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(counter.turns()).toBeGreaterThanOrEqual(15);
  });

  test('are not waited for by work that is short', async () => {
    const loop = new LoopTurns();
    const counter = countTurns();
    for (let index = 0; index < 10; index += 1) await loop.run(() => undefined);
    counter.stop();
    expect(counter.turns()).toBeLessThan(5);
  });

  test('come between the pieces of one large work', async () => {
    const loop = new LoopTurns();
    const counter = countTurns();
    const pieces = (function* () {
      for (let piece = 0; piece < 20; piece += 1) {
        workFor(11);
        yield;
      }
      return 'all';
    })();
    expect(await loop.runPieces(pieces)).toBe('all');
    counter.stop();
    expect(counter.turns()).toBeGreaterThanOrEqual(15);
  });

  test('go on after a piece that failed', async () => {
    const loop = new LoopTurns();
    const failing = loop.run(() => {
      throw new Error('mine');
    });
    await expect(failing).rejects.toThrow('mine');
    expect(await loop.run(() => 'next')).toBe('next');
  });
});
