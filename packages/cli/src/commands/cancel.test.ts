import { afterEach, describe, expect, test } from '@jest/globals';
import { Interrupted } from '../terminal.ts';
import { commandLine } from '../testing/command-line.ts';
import type { FakeAnswer } from '../testing/fake-scheduler.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const path = 'POST /v1/runs/00-r1/cancel';
const nothing = {
  ...{ runId: '00-r1', requestedAt: 1, outcome: 'cancelled', alreadyEnded: false, stoppedSteps: [], finishedSteps: [] },
  ...{
    lostSteps: [],
    released: [],
    compensated: [],
    cleanedUp: [],
    failedCleanups: [],
    pendingCleanups: [],
    pending: [],
  },
};
const receipt = { ...nothing, stoppedSteps: ['a'], pending: ['b'] };
const cancelling: FakeAnswer = { body: { status: 'cancelling', receipt } };
const cancelled: FakeAnswer = {
  body: { status: 'cancelled', receipt: { ...receipt, stoppedSteps: ['a', 'b'], pending: [] } },
};

describe('cancel', () => {
  test('tells what is still running and how to wait for it', async () => {
    await shell.serve({ [path]: cancelling });
    const { exitCode, stdout } = await shell.run(['cancel', '00-r1']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^00-r1 cancelling\nstopped: a\nstill running: b\n/);
    expect(stdout).toContain('./flotilla cancel 00-r1 --wait');
  });

  test('says how many names the receipt leaves out', async () => {
    const body = { status: 'cancelled', receipt: { ...nothing, released: ['a', 'b'], omitted: { released: 7 } } };
    await shell.serve({ [path]: { body } });
    const { stdout } = await shell.run(['cancel', '00-r1']);
    expect(stdout).toContain('released: a, b and 7 more\n');
  });

  test('--wait goes on until the run has ended, and prints the receipt of all of it', async () => {
    let calls = 0;
    await shell.serve({
      [path]: (url) => {
        calls += 1;
        expect(Number(url.searchParams.get('waitMs'))).toBeGreaterThan(50_000);
        return calls === 1 ? cancelling : cancelled;
      },
    });
    const { exitCode, json } = await shell.run(['cancel', '00-r1', '--wait', '--json']);
    expect(exitCode).toBe(0);
    expect(json()).toEqual({
      status: 'cancelled',
      receipt: { ...receipt, stoppedSteps: ['a', 'b'], pending: [] },
    });
  });

  test('--wait ends with 1 at its deadline, and says what is still running', async () => {
    let asked = 0;
    await shell.serve({
      [path]: (url) => {
        asked = Number(url.searchParams.get('waitMs'));
        return cancelling;
      },
    });
    const { exitCode, stdout, stderr } = await shell.run(['cancel', '00-r1', '--wait', '--timeout', '1']);
    expect(exitCode).toBe(1);
    expect(asked).toBeLessThanOrEqual(1000);
    expect(stdout).toContain('still running: b');
    expect(stderr).toBe('flotilla: 00-r1 has not ended within 1 s\n');
  }, 10_000);

  test('a run that had ended before is said to have', async () => {
    const ended = { ...nothing, outcome: 'succeeded', alreadyEnded: true };
    await shell.serve({ [path]: { body: { status: 'succeeded', receipt: ended } } });
    const { exitCode, stdout } = await shell.run(['cancel', '00-r1', '--wait']);
    expect([exitCode, stdout]).toEqual([0, '00-r1 had ended before: succeeded\n']);
  });

  test('tells everything that the receipt lists, and loudly what could not be cleaned up', async () => {
    const full = {
      ...nothing,
      ...{ stoppedSteps: ['a'], finishedSteps: ['b'], lostSteps: ['c'], released: ['d'], compensated: ['f', 'e'] },
      cleanedUp: [{ stepId: 'g', use: 'seat.free' }],
      failedCleanups: [
        {
          ...{ number: 0, stepId: 'h', kind: 'compensation', use: 'refund' },
          error: { type: 'non_retryable', code: 'STEP_FAILED', message: 'the bank says no' },
        },
      ],
    };
    await shell.serve({ [path]: { body: { status: 'cancelled', receipt: full } } });
    const { stdout } = await shell.run(['cancel', '00-r1']);
    expect(stdout.split('\n')).toEqual([
      '00-r1 cancelled',
      'stopped: a',
      'had ended by itself: b',
      'could not be stopped, its worker died: c',
      'released: d',
      'compensated: f, e',
      'cleaned up: g (seat.free)',
      'NOT cleaned up: h (refund): the bank says no',
      '',
    ]);
  });

  test('a run whose end had been decided otherwise is not said to be cancelled', async () => {
    const late = { ...nothing, outcome: 'failed', alreadyEnded: true };
    await shell.serve({ [path]: { body: { status: 'cancelling', receipt: late } } });
    expect((await shell.run(['cancel', '00-r1'])).stdout).toMatch(/^00-r1 was ending before, and will be failed\n/);
  });

  test('an interruption ends the waiting', async () => {
    const terminal = shell.terminal({ FLOTILLA_URL: (await shell.serve({ [path]: cancelling })).url });
    terminal.interrupt(new Interrupted('SIGINT'));
    expect((await shell.run(['cancel', '00-r1', '--wait'], {}, terminal)).exitCode).toBe(130);
  });
});
