import { afterEach, describe, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';
import { problemAnswer } from '../testing/fake-scheduler.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const run = { runId: '00-r1', workflow: 'w', status: 'failed', createdAt: 1, tags: [], definitionHash: 'x' };
const retried = { runId: '00-r1', status: 'pending', opening: 2, alreadyRetried: false };

describe('retry', () => {
  test('says which end of the run it means, and what became of it', async () => {
    let sent: unknown;
    await shell.serve({
      'GET /v1/runs/00-r1': { body: run },
      'POST /v1/runs/00-r1/retry': (_url, body) => {
        sent = body;
        return { body: retried };
      },
    });
    const { exitCode, stdout } = await shell.run(['retry', '00-r1', '--from', 'pay']);
    expect(exitCode).toBe(0);
    expect(sent).toEqual({ from: 'pay', opening: 1 });
    expect(stdout).toMatch(/^00-r1 goes on: pending, opened for the 2nd time\n/);
  });

  test('--dry-run says what runs again and with which keys, what was undone, and what nobody knows to be undone', async () => {
    let sent: unknown;
    const cleanup = { number: 0, stepId: 'pay', kind: 'compensation', use: 'shop.refund' };
    const error = { type: 'non_retryable', code: 'REFUSED', message: 'the bank says no' };
    const plan = {
      counts: { again: 3, newKeys: 3, first: 1, undone: 1, failedCleanups: 1 },
      steps: [
        { stepId: 'pay', why: 'undone', newKey: true, idempotencyKey: '00-r1/pay/opening/2' },
        { stepId: 'each', why: 'undone', newKey: true, items: { again: 3, newKeys: 2 } },
        { stepId: 'ship', why: 'failed', newKey: false, idempotencyKey: '00-r1/ship' },
      ],
      leftFailed: ['tell'],
      undone: [cleanup],
      failedCleanups: [{ ...cleanup, number: 1, stepId: 'book', error }],
    };
    await shell.serve({
      'GET /v1/runs/00-r1': { body: run },
      'POST /v1/runs/00-r1/retry': (_url, body) => {
        sent = body;
        return { body: { ...retried, status: 'failed', dryRun: true, plan } };
      },
    });
    const { exitCode, stdout } = await shell.run(['retry', '00-r1', '--dry-run']);
    expect([exitCode, sent]).toEqual([0, { opening: 1, dryRun: true }]);
    expect(stdout.split('\n').map((line) => line.replaceAll(/ +/g, ' ').trim())).toEqual([
      '00-r1 is failed; it would be opened for the 2nd time',
      'RUNS AGAIN BECAUSE IDEMPOTENCY KEY',
      'pay it was undone 00-r1/pay/opening/2 (new)',
      'each it was undone 3 items, 2 with new keys',
      'ship it failed 00-r1/ship (as before)',
      '1 step for the first time',
      'stay failed: tell',
      'undone when the run ended: pay (shop.refund)',
      'NOT known to be undone: book, for its cleanup 1 (shop.refund) failed (REFUSED: the bank says no); it runs again under its old key',
      'to undo it first: ./flotilla cleanups retry 00-r1 NUMBER',
      '',
    ]);
  });

  test('--json prints the answer', async () => {
    await shell.serve({ 'GET /v1/runs/00-r1': { body: run }, 'POST /v1/runs/00-r1/retry': { body: retried } });
    expect((await shell.run(['retry', '00-r1', '--json'])).json()).toEqual(retried);
  });

  test('of a run that has not ended is refused with 2', async () => {
    await shell.serve({
      'GET /v1/runs/00-r1': { body: run },
      'POST /v1/runs/00-r1/retry': problemAnswer(409, 'RUN_STILL_ACTIVE', 'run 00-r1 is running'),
    });
    const { exitCode, stderr } = await shell.run(['retry', '00-r1']);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('run 00-r1 is running')]);
  });
});

test.each(['pause', 'resume'])('%s prints what the run is then', async (what) => {
  const status = what === 'pause' ? 'paused' : 'running';
  await shell.serve({ [`POST /v1/runs/00-r1/${what}`]: { body: { runId: '00-r1', status } } });
  expect(await shell.run([what, '00-r1'])).toMatchObject({ exitCode: 0, stdout: `00-r1 ${status}\n` });
});
