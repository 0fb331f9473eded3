import { afterEach, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const breaker = { name: 'payments', state: 'open', since: 1, parked: 3, manual: true, trials: 0 };

test.each([
  ['open', []],
  ['close', []],
  ['open', ['--json']],
])('breakers %s %j tells how the breaker is then', async (what, options) => {
  await shell.serve({ [`POST /v1/breakers/payments/${what}`]: { body: breaker } });
  const { exitCode, stdout, json } = await shell.run(['breakers', what, 'payments', ...options]);
  expect(exitCode).toBe(0);
  if (options.length > 0) expect(json()).toEqual(breaker);
  else expect(stdout).toBe('payments is open; 3 steps are parked\n');
});
