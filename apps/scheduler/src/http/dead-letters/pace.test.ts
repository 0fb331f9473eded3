import { expect, test } from '@jest/globals';
import { Pace } from './pace.ts';

test('turns lie apart, whoever takes them, and none is saved up', () => {
  let now = 1000;
  const pace = new Pace(50, () => now);
  expect([pace.take(), pace.take(), pace.take()]).toEqual([0, 20, 40]);
  now += 10_000;
  expect([pace.take(), pace.take()]).toEqual([0, 20]);
});
