import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AttemptAborted, AttemptControl, type AttemptLimits } from './attempt-control.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const create = (limits: Partial<AttemptLimits> = {}) =>
  new AttemptControl({ attemptMs: 1000, heartbeatMs: undefined, totalLeftMs: undefined, ...limits });

describe('the control of an attempt', () => {
  test('aborts it at its time limit, and says why', () => {
    const control = create();
    jest.advanceTimersByTime(999);
    expect(control.signal.aborted).toBe(false);
    jest.advanceTimersByTime(1);
    expect(control.cause).toBe('attempt-time');
    expect(control.signal.reason).toBeInstanceOf(AttemptAborted);
    expect(control.signal.reason).toMatchObject({ name: 'AbortError', abortCause: 'attempt-time' });
  });

  test.each([
    [{ totalLeftMs: 400 }, 'total-time', 400],
    [{ totalLeftMs: 2000 }, 'attempt-time', 1000],
    // The step's time was over before the attempt began.
    [{ totalLeftMs: -5 }, 'total-time', 0],
    [{ heartbeatMs: 300 }, 'heartbeat', 300],
  ] as const)('with %p aborts for %p after %p ms', (limits, cause, afterMs) => {
    const control = create(limits);
    if (afterMs > 0) {
      jest.advanceTimersByTime(afterMs - 1);
      expect(control.cause).toBeUndefined();
    }
    jest.advanceTimersByTime(1);
    expect(control.cause).toBe(cause);
  });

  test('is kept from the heartbeat limit by heartbeats, and keeps the progress told last', () => {
    const control = create({ heartbeatMs: 300 });
    for (let beat = 1; beat <= 3; beat += 1) {
      jest.advanceTimersByTime(250);
      control.heartbeat(beat === 3 ? undefined : { beat });
    }
    expect(control.cause).toBeUndefined();
    expect(control.takeProgress()).toEqual({ beat: 2 });
    expect(control.takeProgress()).toBeUndefined();
    jest.advanceTimersByTime(300);
    expect(control.cause).toBe('attempt-time');
  });

  test('keeps the first cause', () => {
    const control = create();
    control.abort('cancelled');
    control.abort('drain');
    jest.advanceTimersByTime(5000);
    expect(control.cause).toBe('cancelled');
  });

  test.each([
    ['a limit', 'an abort', () => jest.advanceTimersByTime(1000), 'attempt-time'],
    ['an abort', 'a limit', (control: AttemptControl) => control.abort('cancelled'), 'cancelled'],
  ] as const)('decides once when %s comes before %s', (_first, _second, come, cause) => {
    const control = create();
    let aborts = 0;
    control.signal.addEventListener('abort', () => (aborts += 1));
    come(control);
    control.abort('cancelled');
    jest.advanceTimersByTime(5000);
    expect([control.cause, aborts]).toEqual([cause, 1]);
    expect(control.signal.reason).toMatchObject({ abortCause: cause });
  });

  test('that comes after its end tells what still runs, and changes the end no more', () => {
    const control = create();
    control.stop();
    control.abort('cancelled');
    expect(control.signal.aborted).toBe(true);
    expect(control.cause).toBeUndefined();
  });

  test('once stopped fires no more, even when the handler still gives heartbeats', () => {
    const control = create({ heartbeatMs: 300, totalLeftMs: 500 });
    control.stop();
    control.heartbeat();
    jest.advanceTimersByTime(10_000);
    expect(control.cause).toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('leaves limits beyond what a timer can hold to the scheduler', () => {
    const year = 31_536_000_000;
    const control = create({ attemptMs: year, heartbeatMs: year, totalLeftMs: year - 1 });
    control.heartbeat();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(1000);
    expect(control.cause).toBeUndefined();
  });
});
