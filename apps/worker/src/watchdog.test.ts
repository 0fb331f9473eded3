import { spawn } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { describeExit } from './isolation/isolated-process.ts';
import { BLOCKED_SIGNAL } from './watchdog.ts';

test('a process of a step that blocks its event loop ends by a signal of its own, which says why', async () => {
  const watchdog = new URL('watchdog.ts', import.meta.url).href;
  const script = `const { Watchdog, BLOCKED_SIGNAL } = await import(${JSON.stringify(watchdog)});
    new Watchdog().start(BLOCKED_SIGNAL);
    // The thread begins with a turn of the loop; an end, lest a failing test leave it behind.
    setTimeout(() => { const end = performance.now() + 40_000; while (performance.now() < end); }, 1);`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--conditions=@flotilla/source', '--input-type=module', '-e', script], {
    env,
    stdio: 'ignore',
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('exit', (...end) => resolve(end)),
  );
  expect([code, signal]).toEqual([null, BLOCKED_SIGNAL]);
  expect(describeExit(code, signal)).toBe(
    'it blocked the event loop for more than 9 s: compute in pieces with awaits between, or in a worker thread',
  );
}, 60_000);

test.each([
  [null, 'SIGKILL', 'SIGKILL'],
  [1, null, 'exit code 1'],
] as const)('any other end is told as it is: %s %s', (code, signal, expected) => {
  expect(describeExit(code, signal)).toBe(expected);
});
