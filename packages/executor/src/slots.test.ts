import { describe, expect, test } from '@jest/globals';
import { Slots } from './slots.ts';
import { StepDurations } from './step-durations.ts';

describe('slots', () => {
  test('are taken at once and no more than there are', () => {
    const slots = new Slots(3);
    expect(slots.take(2)).toBe(2);
    expect(slots.take(2)).toBe(1);
    expect(slots.take(1)).toBe(0);
    expect({ free: slots.free, taken: slots.taken }).toEqual({ free: 0, taken: 3 });
  });

  test('go to who holds a task before a new task is fetched', async () => {
    const slots = new Slots(1);
    slots.take(1);
    const order: string[] = [];
    const fetched = slots.whenFree().then(() => order.push('fetch'));
    const held = slots.takeWithin(5000).then((granted) => order.push(granted ? 'held' : 'late'));
    slots.release();
    await held;
    expect(slots.free).toBe(0);
    slots.release();
    await fetched;
    expect(order).toEqual(['held', 'fetch']);
  });

  test('are not waited for beyond the patience', async () => {
    const slots = new Slots(1);
    slots.take(1);
    await expect(slots.takeWithin(1)).resolves.toBe(false);
    slots.release();
    expect(slots.free).toBe(1);
  });

  test('wake all who wait for one', async () => {
    const slots = new Slots(1);
    slots.take(1);
    const both = Promise.all([slots.whenFree(), slots.whenFree()]);
    slots.release();
    await both;
    expect(slots.free).toBe(1);
  });
});

describe('step durations', () => {
  test('are told when they are new and when they have changed by a factor of two', () => {
    const durations = new StepDurations();
    durations.note('default/a', 10);
    expect(durations.takeChanged()).toEqual([['default/a', 10]]);
    durations.note('default/a', 11);
    expect(durations.takeChanged()).toEqual([]);
    for (let index = 0; index < 20; index += 1) durations.note('default/a', 100);
    expect(durations.takeChanged()).toHaveLength(1);
  });

  test('of steps that take no time at all count as a little', () => {
    const durations = new StepDurations();
    durations.note('default/a', 0);
    expect(durations.takeChanged()).toEqual([['default/a', 0.05]]);
  });
});
