import { afterEach, describe, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';
import { problemAnswer } from '../testing/fake-scheduler.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const cleanup = {
  number: 1,
  stepId: 'charge',
  kind: 'compensation',
  use: 'shop.refund',
  status: 'failed',
  attempts: 3,
};
const run = {
  ...{ runId: '00-r1', workflow: 'shop', status: 'failed', endedAt: 1_760_000_000_000, failed: 2, left: 0 },
  cleanups: [{ ...cleanup, error: { type: 'non_retryable', code: 'REFUSED', message: 'the bank\u001b[31m says no' } }],
};

describe('cleanups', () => {
  test('lists the runs of which some have failed for good, and what they failed with', async () => {
    let query = '';
    await shell.serve({
      'GET /v1/cleanups/failed': (url) => {
        query = url.search;
        return { body: { runs: [run], cursor: 'next' } };
      },
    });
    const { exitCode, stdout } = await shell.run(['cleanups', '--limit', '1', '--cursor', 'here']);
    expect([exitCode, query]).toEqual([0, '?cursor=here&limit=1']);
    expect(stdout).toMatch(/00-r1 +1 +charge +shop\.refund +\S.* REFUSED: the bank.* says no\n/);
    expect(stdout).not.toContain('\u001b[31m');
    expect(stdout).toContain('1 more cleanup of 00-r1\nthere are more: --cursor next\n');
  });

  test('says that there is none', async () => {
    await shell.serve({ 'GET /v1/cleanups/failed': { body: { runs: [] } } });
    expect(await shell.run(['cleanups'])).toMatchObject({ exitCode: 0, stdout: 'no cleanup has failed\n' });
  });

  test('retry makes one again', async () => {
    const answer = { runId: '00-r1', number: 1, alreadyRetried: false };
    await shell.serve({ 'POST /v1/runs/00-r1/cleanups/1/retry': { body: answer } });
    const { exitCode, stdout } = await shell.run(['cleanups', 'retry', '00-r1', '1']);
    expect([exitCode, stdout]).toEqual([
      0,
      expect.stringMatching(/^cleanup 1 of 00-r1 is being retried;.*\n.*history 00-r1\n$/),
    ]);
    expect((await shell.run(['cleanups', 'retry', '00-r1', '1', '--json'])).json()).toEqual(answer);
  });

  test.each([
    [['retry', '00-r1', 'x'], 'expected a number'],
    [['retry', '00-r1', '9'], 'has no cleanup 9'],
  ])('%j is refused with 2', async (args, message) => {
    await shell.serve({
      'POST /v1/runs/00-r1/cleanups/9/retry': problemAnswer(404, 'CLEANUP_NOT_FOUND', 'run 00-r1 has no cleanup 9'),
    });
    const { exitCode, stderr } = await shell.run(['cleanups', ...args]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
