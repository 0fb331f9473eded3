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
    const fetched = slots.whenRoom(1).then(() => order.push('fetch'));
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
    const both = Promise.all([slots.whenRoom(1), slots.whenRoom(1)]);
    slots.release();
    await both;
    expect(slots.free).toBe(1);
  });
});

describe('a task is fetched before a slot is free', () => {
  /** Slots that are all taken, and a clock. */
  function busySlots(size: number) {
    let now = 0;
    const slots = new Slots(size, () => now);
    slots.take(size);
    return {
      slots,
      pass: (ms: number) => {
        now += ms;
      },
      /** So many attempts end, after so long each, and others begin in their place. */
      turnOver: (times: number, heldMs = 5) => {
        for (let time = 0; time < times; time += 1) {
          slots.release(heldMs);
          slots.take(1);
        }
      },
    };
  }

  const isTold = async (room: Promise<void>): Promise<boolean> =>
    Promise.race([room.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]) as Promise<boolean>;

  test('when as many came free of late as it will have steps', async () => {
    const { slots, turnOver } = busySlots(4);
    turnOver(9);
    expect(await isTold(slots.whenRoom(10))).toBe(false);
    turnOver(1);
    expect(await isTold(slots.whenRoom(10))).toBe(true);
  });

  test('and not for those who wait already', async () => {
    const { slots, turnOver } = busySlots(4);
    const held = slots.takeWithin(5000);
    slots.release();
    await held;
    turnOver(9);
    const waiting = slots.takeWithin(5000);
    expect(await isTold(slots.whenRoom(10))).toBe(false);
    // That is one more: nobody waits now.
    slots.release(5);
    await waiting;
    expect(await isTold(slots.whenRoom(10))).toBe(true);
  });

  test('and not when that was a while ago', async () => {
    const { slots, pass, turnOver } = busySlots(4);
    turnOver(10);
    pass(8);
    expect(await isTold(slots.whenRoom(10))).toBe(false);
  });

  test('and not when fewer may be taken than are', async () => {
    const { slots, turnOver } = busySlots(40);
    slots.limitTo('probation', 2);
    for (let time = 0; time < 30; time += 1) slots.release(5);
    turnOver(10);
    expect(await isTold(slots.whenRoom(10))).toBe(false);
  });

  test('and not once fewer may be taken, whatever came free before that', async () => {
    const { slots, turnOver } = busySlots(4);
    turnOver(10);
    slots.limitTo('storage', 0);
    expect(await isTold(slots.whenRoom(1))).toBe(false);
  });

  test('and not when those that came free had been held for long: so will be what took their place', async () => {
    const { slots, turnOver } = busySlots(4);
    turnOver(10, 200);
    expect(await isTold(slots.whenRoom(1))).toBe(false);
    turnOver(1, 5);
    expect(await isTold(slots.whenRoom(1))).toBe(true);
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
