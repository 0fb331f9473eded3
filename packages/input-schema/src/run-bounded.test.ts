import { expect, test } from '@jest/globals';
import { runBounded, WorkTooCostly } from './run-bounded.ts';

/** Lets time pass without taking the processor, as work does whose thread others keep from it. */
function beKeptWaiting(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('work that others kept from the processor is not called costly', () => {
  const work = () => {
    beKeptWaiting(150);
    return 'done';
  };
  expect(runBounded(work, 50)).toBe('done');
});

test('work that has had the processor for its time is ended', () => {
  const before = process.cpuUsage();
  const work = () => {
    for (;;);
  };
  expect(() => runBounded(work, 50)).toThrow(WorkTooCostly);
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
});
