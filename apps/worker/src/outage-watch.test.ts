import { describe, expect, test } from '@jest/globals';
import { OutageWatch } from './outage-watch.ts';

/** Lets promises that have been resolved run on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('an outage of Redis', () => {
  test('is noticed when nothing was answered for two seconds, and over with the first answer', async () => {
    let answer: (() => void) | undefined;
    const watch = new OutageWatch(() => new Promise<void>((resolve) => (answer = resolve)));
    const seen: [number, boolean][] = [];
    for (let nowMs = 0; nowMs <= 2500; nowMs += 250) {
      watch.look(nowMs);
      seen.push([nowMs, watch.isAway]);
    }
    expect(seen.filter(([, isAway]) => isAway).map(([nowMs]) => nowMs)).toEqual([2250, 2500]);
    answer?.();
    await settle();
    expect(watch.isAway).toBe(false);
  });

  test('is noticed when every question fails', async () => {
    let questions = 0;
    const watch = new OutageWatch(async () => {
      questions += 1;
      throw new Error('no connection');
    });
    for (let nowMs = 0; nowMs <= 2250; nowMs += 250) {
      watch.look(nowMs);
      await settle();
    }
    expect([watch.isAway, questions]).toEqual([true, 5]);
  });

  test('is not taken for one that the own event loop stood still, nor that an answer took a second', async () => {
    const answers: (() => void)[] = [];
    const watch = new OutageWatch(() => new Promise<void>((resolve) => answers.push(resolve)));
    watch.look(0);
    watch.look(8000);
    answers.pop()?.();
    await settle();
    watch.look(8250);
    expect(watch.isAway).toBe(false);
    for (const nowMs of [8500, 8750, 9000, 9250]) watch.look(nowMs);
    answers.pop()?.();
    await settle();
    for (const nowMs of [9500, 9750]) watch.look(nowMs);
    expect(watch.isAway).toBe(false);
  });
});
