import { afterEach, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const run = (status: string, more: object = {}) => ({
  ...{ runId: 'r1', workflow: 'orders', definitionHash: 'h', status, createdAt: 1000, tags: [] },
  ...{ counts: { steps: 2, settled: 2, running: 0 }, ...more },
});
const history = {
  events: [
    { seq: 0, at: 1000, type: 'run-created' },
    { seq: 1, at: 1100, type: 'step-succeeded', stepId: 'reserve' },
    { seq: 2, at: 1200, type: 'step-failed', stepId: 'pay', data: { message: 'the card was declined' } },
    { seq: 3, at: 1300, type: 'run-failed' },
  ],
};

test('watch says how each step settled out of how many, then how the run ended, and ends with 1 when it failed', async () => {
  const error = { stepId: 'pay', code: 'DECLINED', message: 'the card was declined' };
  await shell.serve({
    'GET /v1/runs/r1': { body: run('failed', { endedAt: 1300, error }) },
    'GET /v1/runs/r1/history': { body: history },
  });
  const { exitCode, stdout } = await shell.run(['watch', 'r1']);
  expect(exitCode).toBe(1);
  expect(stdout).toContain('[1/2] reserve succeeded\n[2/2] pay failed: the card was declined\n');
  expect(stdout).toContain('r1 failed after 300 ms\nstep pay: DECLINED: the card was declined\n');
});

test('watch --json prints the outcome alone, and ends with 0 when the run succeeded', async () => {
  await shell.serve({
    'GET /v1/runs/r1': { body: run('succeeded', { endedAt: 1300, output: { paid: true } }) },
    'GET /v1/runs/r1/history': { body: { events: [] } },
  });
  const { exitCode, json } = await shell.run(['watch', 'r1', '--json']);
  expect([exitCode, json()]).toEqual([0, { runId: 'r1', status: 'succeeded', output: { paid: true } }]);
});

test('usage shows what was used beside the budget, and that there is none', async () => {
  const usage = { runId: 'r1', costUSD: 0.5, tokens: 1200, budget: { costUSD: 2 } };
  await shell.serve({ 'GET /v1/runs/r1/usage': { body: usage } });
  const { exitCode, stdout } = await shell.run(['usage', 'r1']);
  expect([exitCode, stdout.split('\n').map((line) => line.trimEnd().split(/ {2,}/))]).toEqual([
    0,
    [['', 'USED', 'BUDGET', 'SHARE'], ['USD', '0.5000', '2.0000', '25 %'], ['tokens', '1200', 'none'], ['']],
  ]);
  expect((await shell.run(['usage', 'r1', '--json'])).json()).toEqual(usage);
});
