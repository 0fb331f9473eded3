import { spawn } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { MAX_SLOWDOWN, recordMachineTime, startStopwatch } from './machine-time.ts';

test('machine time is never more than the wall clock says, nor less than a sixth of it', async () => {
  const startedMs = performance.now();
  const machineMs = startStopwatch();
  await pause(200);
  const [counted, passed] = [machineMs(), performance.now() - startedMs];
  expect(counted).toBeLessThanOrEqual(passed);
  expect(counted).toBeGreaterThan((passed - 5) / MAX_SLOWDOWN - 5);
});

const seesWaits = process.platform === 'linux';
(seesWaits ? test : test.skip)('time in which more wants to run than there are processors counts a part', async () => {
  const busy = Array.from({ length: 2 * Math.max(cpus().length, availableParallelism()) }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore', timeout: 20_000 }),
  );
  try {
    await pause(300);
    const [startedMs, startedAt] = [performance.now(), Date.now()];
    const machineMs = startStopwatch();
    const timeline = recordMachineTime();
    await pause(1000);
    expect(machineMs()).toBeLessThan(0.7 * (performance.now() - startedMs));
    const endedAt = Date.now();
    expect(timeline.between(startedAt, endedAt)).toBeLessThan(0.7 * (endedAt - startedAt));
    timeline.stop();
  } finally {
    for (const one of busy) one.kill('SIGKILL');
  }
});

test('an infinite wait stays one', () => {
  const timeline = recordMachineTime();
  expect(timeline.between(Date.now(), Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  timeline.stop();
});
