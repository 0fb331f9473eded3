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
  await shell.serve({
    'GET /v1/breakers': { body: { breakers: [breaker] } },
    [`POST /v1/breakers/payments/${what}`]: { body: breaker },
  });
  const { exitCode, stdout, stderr, json } = await shell.run(['breakers', what, 'payments', ...options]);
  expect(exitCode).toBe(0);
  expect(stderr).toBe('');
  if (options.length > 0) expect(json()).toEqual(breaker);
  else expect(stdout).toBe('payments is open; 3 steps are parked\n');
});

test.each([
  ['open', 'paymnets', ': did you mean payments?'],
  ['close', 'stock', ''],
])('breakers %s %s says that nothing has used this name%s', async (what, name, meant) => {
  await shell.serve({
    'GET /v1/breakers': { body: { breakers: [breaker] } },
    [`POST /v1/breakers/${name}/${what}`]: { body: { ...breaker, name, parked: 0 } },
  });
  const { exitCode, stdout } = await shell.run(['breakers', what, name]);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(`${name} is open; 0 steps are parked; no step has used it within a day${meant}\n`);
});

test('breakers close says that what is parked comes back', async () => {
  const closed = { ...breaker, state: 'closed', parked: 1 };
  await shell.serve({
    'GET /v1/breakers': { body: { breakers: [breaker] } },
    'POST /v1/breakers/payments/close': { body: closed },
  });
  const { stdout } = await shell.run(['breakers', 'close', 'payments']);
  expect(stdout).toBe('payments is closed; 1 step is parked, and comes back within the next minutes\n');
});
