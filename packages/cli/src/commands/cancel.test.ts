import { afterEach, describe, expect, test } from '@jest/globals';
import { Interrupted } from '../terminal.ts';
import { commandLine } from '../testing/command-line.ts';
import type { FakeAnswer } from '../testing/fake-scheduler.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const path = 'POST /v1/runs/00-r1/cancel';
const receipt = { runId: '00-r1', requestedAt: 1, stoppedSteps: ['a'], pending: ['b'], alreadyEnded: false };
const cancelling: FakeAnswer = { body: { status: 'cancelling', receipt } };
const cancelled: FakeAnswer = {
  body: { status: 'cancelled', receipt: { ...receipt, requestedAt: 2, stoppedSteps: ['b'], pending: [] } },
};

describe('cancel', () => {
  test('tells what is still running and how to wait for it', async () => {
    await shell.serve({ [path]: cancelling });
    const { exitCode, stdout } = await shell.run(['cancel', '00-r1']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^00-r1 cancelling\nstopped: a\nstill running: b\n/);
    expect(stdout).toContain('./flotilla cancel 00-r1 --wait');
  });

  test('--wait goes on until the run has ended, and adds up what was stopped', async () => {
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
    const ended = { ...receipt, stoppedSteps: [], pending: [], alreadyEnded: true };
    await shell.serve({ [path]: { body: { status: 'succeeded', receipt: ended } } });
    const { exitCode, stdout } = await shell.run(['cancel', '00-r1', '--wait']);
    expect([exitCode, stdout]).toEqual([0, '00-r1 had ended before: succeeded\n']);
  });

  test('an interruption ends the waiting', async () => {
    const terminal = shell.terminal({ FLOTILLA_URL: (await shell.serve({ [path]: cancelling })).url });
    terminal.interrupt(new Interrupted('SIGINT'));
    expect((await shell.run(['cancel', '00-r1', '--wait'], {}, terminal)).exitCode).toBe(130);
  });
});
