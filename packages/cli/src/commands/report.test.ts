import { afterEach, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const healthy = { verdict: 'ok', summary: 'Everything works.', at: 10_000, findings: [] };
const broken = {
  ...{ verdict: 'degraded', summary: 'Degraded: Breaker payments is open: 3 runs wait for it.', at: 10_000 },
  findings: [
    {
      ...{ code: 'BREAKER_OPEN', severity: 'degraded', message: 'Breaker payments is open: 3 runs wait for it.' },
      ...{ next: 'Look at payments itself.', since: 5000, filter: 'waiting=breaker:payments' },
    },
  ],
};

test('report of a healthy fleet ends with 0', async () => {
  await shell.serve({ 'GET /v1/report': { body: healthy } });
  const { exitCode, stdout } = await shell.run(['report']);
  expect([exitCode, stdout]).toEqual([0, 'ok: Everything works.\n']);
});

test('report of a fleet with a fault names it and what to do next, and ends with 1', async () => {
  await shell.serve({ 'GET /v1/report': { body: broken } });
  const { exitCode, stdout } = await shell.run(['report']);
  expect(exitCode).toBe(1);
  expect(stdout).toBe(`degraded

  degraded BREAKER_OPEN: Breaker payments is open: 3 runs wait for it. (for 5.0 s)
    next: Look at payments itself.
    its runs: GET /v1/runs?waiting=breaker:payments
`);
});

test('report --json prints the report and ends with 1 when something is wrong', async () => {
  await shell.serve({ 'GET /v1/report': { body: broken } });
  const { exitCode, json } = await shell.run(['report', '--json']);
  expect([exitCode, json()]).toEqual([1, broken]);
});
