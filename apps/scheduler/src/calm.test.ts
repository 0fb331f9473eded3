import { afterEach, expect, jest, test } from '@jest/globals';
import { Calm, type CalmLook } from './calm.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

const NOTHING: CalmLook = { nextInMs: undefined, lookedAt: 0, hasAttempts: false };
const FAR: CalmLook = { ...NOTHING, nextInMs: 3_600_000 };

/** A calm whose last work is longer ago than what counts as news. */
function createCalm(): Calm {
  const clock = jest.spyOn(performance, 'now').mockReturnValue(1000);
  const calm = new Calm();
  clock.mockReturnValue(60_000);
  return calm;
}

test('it is calm when no partition has anything due soon or under way', () => {
  const calm = createCalm();
  expect(calm.isCalm).toBe(false);
  calm.judge([NOTHING, FAR]);
  expect(calm.isCalm).toBe(true);
});

test.each<[string, CalmLook]>([
  ['something was due', { ...NOTHING, lookedAt: 1 }],
  ['an attempt is under way', { ...NOTHING, hasAttempts: true }],
  ['a step was handed out, whose hint is due within 5 s', { ...NOTHING, nextInMs: 4999 }],
])('it is not calm when %s in one partition', (_, look) => {
  const calm = createCalm();
  calm.judge([NOTHING, look, FAR]);
  expect(calm.isCalm).toBe(false);
});

test('work from an outbox ends the calm, tells so once, and keeps it away for two seconds', () => {
  const calm = createCalm();
  const onEnd = jest.fn();
  calm.onEnd = onEnd;
  calm.judge([NOTHING]);
  calm.end();
  calm.end();
  expect(calm.isCalm).toBe(false);
  expect(onEnd).toHaveBeenCalledTimes(1);
  calm.judge([NOTHING]);
  expect(calm.isCalm).toBe(false);
  jest.spyOn(performance, 'now').mockReturnValue(62_001);
  calm.judge([NOTHING]);
  expect(calm.isCalm).toBe(true);
});
