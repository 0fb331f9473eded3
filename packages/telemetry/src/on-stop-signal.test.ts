import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { onStopSignal } from './on-stop-signal.ts';

const before = process.listeners('SIGTERM');
const own = () => process.listeners('SIGTERM').filter((listener) => !before.includes(listener));

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  for (const listener of own()) process.off('SIGTERM', listener);
});

test('there is a listener while the first signal is served: a second in that moment ends nothing', () => {
  const listening: number[] = [];
  onStopSignal(() => listening.push(own().length));
  const [listener] = own();
  listener!('SIGTERM');
  expect(listening).toEqual([1]);
  expect(own()).toHaveLength(1);
});

test('the same signal within two seconds asks for nothing more, and ends the process at once after that', () => {
  const stop = jest.fn();
  onStopSignal(stop);
  const [listener] = own();
  listener!('SIGTERM');
  listener!('SIGTERM');
  expect(stop.mock.calls).toEqual([['SIGTERM']]);
  jest.advanceTimersByTime(1999);
  expect(own()).toHaveLength(1);
  jest.advanceTimersByTime(1);
  // Nobody listens any more: Node leaves it to the system.
  expect(own()).toEqual([]);
});
