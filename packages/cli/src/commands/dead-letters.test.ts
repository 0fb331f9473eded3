import { afterEach, describe, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';
import { problemAnswer } from '../testing/fake-scheduler.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const letter = {
  id: '00-r1/pay',
  runId: '00-r1',
  workflow: 'orders',
  stepId: 'pay',
  reason: 'failed',
  use: 'charge',
  attempts: 3,
  error: { type: 'transient', code: 'ECONNRESET', message: 'the line went dead' },
  failedAt: 1_700_000_000_000,
  deadSince: 1_700_000_000_500,
  opening: 1,
};
const quarantined = { ...letter, stepId: 'eat', reason: 'quarantined', attempts: 0, crashes: 2 };
const run = { runId: '00-r1', workflow: 'orders', status: 'failed', createdAt: 1, tags: [], definitionHash: 'x' };

describe('dead-letters', () => {
  test('lists them with what they failed with, and how to go on', async () => {
    let asked: URL | undefined;
    await shell.serve({
      'GET /v1/dead-letters': (url) => {
        asked = url;
        return { body: { deadLetters: [letter, quarantined], cursor: 'next' } };
      },
    });
    const args = ['--workflow', 'orders', '--error-code', 'ECONNRESET', '--reason', 'failed', '--limit', '2'];
    const { exitCode, stdout } = await shell.run(['dead-letters', ...args, '--since', '2023-11-01T00:00:00Z']);
    expect(exitCode).toBe(0);
    expect(Object.fromEntries(asked!.searchParams)).toEqual({
      workflow: 'orders',
      errorCode: 'ECONNRESET',
      reason: 'failed',
      since: String(Date.parse('2023-11-01T00:00:00Z')),
      limit: '2',
    });
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^RUN +STEP +WORKFLOW +DEAD SINCE +TRIED +ERROR$/),
      expect.stringMatching(/^00-r1 +pay +orders +2023-11-14 22:13:20Z +3 +ECONNRESET$/),
      expect.stringMatching(/^00-r1 +eat +orders +.* +0 \+ 2 lost +quarantined: ECONNRESET$/),
      'there are more: --cursor next',
      '',
    ]);
  });

  test('understands how long ago', async () => {
    let since = 0;
    await shell.serve({
      'GET /v1/dead-letters': (url) => {
        since = Number(url.searchParams.get('since'));
        return { body: { deadLetters: [] } };
      },
    });
    const before = Date.now();
    expect((await shell.run(['dead-letters'])).stdout).toBe('no dead letters\n');
    expect((await shell.run(['dead-letters', '--since', '2h'])).stdout).toBe('no dead letter fits\n');
    expect(since).toBeGreaterThanOrEqual(before - 7_200_000);
    expect(since).toBeLessThanOrEqual(Date.now() - 7_200_000);
  });

  test.each([
    ['--since', 'yesterday'],
    ['--reason', 'tired'],
    ['--limit', '0'],
  ])('refuses %s %s with 2', async (option, value) => {
    expect(await shell.run(['dead-letters', option, value])).toMatchObject({ exitCode: 2, stdout: '' });
  });
});

describe('dead-letters show', () => {
  const detail = {
    ...letter,
    run: {
      status: 'failed',
      createdAt: 1,
      endedAt: 1_700_000_000_500,
      tags: [],
      definitionHash: 'x',
      path: '/v1/runs/00-r1',
      input: { order: 7 },
    },
    events: [
      { seq: 3, at: 1_700_000_000_000, type: 'attempt-failed', stepId: 'pay', attempt: 3, data: { message: 'no' } },
    ],
    eventsTruncated: false,
  };

  test.each([[['00-r1', 'pay']], [['00-r1/pay']]])('of %j says what happened', async (name) => {
    await shell.serve({ 'GET /v1/dead-letters/00-r1/pay': { body: detail } });
    const { exitCode, stdout } = await shell.run(['dead-letters', 'show', ...name]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^pay of run 00-r1 \(orders\) is failed: ECONNRESET: the line went dead\n/);
    expect(stdout).toContain('input of the run: {"order":7}\n');
    expect(stdout).toContain('attempt-failed  pay  attempt 3  no\n');
  });

  test('--json prints all of it', async () => {
    await shell.serve({ 'GET /v1/dead-letters/00-r1/pay': { body: detail } });
    expect((await shell.run(['dead-letters', 'show', '00-r1', 'pay', '--json'])).json()).toEqual(detail);
  });

  test('without a step says how to find it', async () => {
    const { exitCode, stderr } = await shell.run(['dead-letters', 'show', '00-r1']);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('./flotilla dead-letters lists them')]);
  });
});

describe('dead-letters redrive', () => {
  const redriven = {
    id: '00-r1/pay',
    runId: '00-r1',
    stepId: 'pay',
    outcome: 'redriven',
    status: 'pending',
    opening: 2,
  };

  test('of one says which opening it means', async () => {
    let sent: unknown;
    await shell.serve({
      'GET /v1/runs/00-r1': { body: run },
      'POST /v1/dead-letters/00-r1/pay/redrive': (_url, body) => {
        sent = body;
        return { body: redriven };
      },
    });
    const { exitCode, stdout } = await shell.run(['dead-letters', 'redrive', '00-r1', 'pay']);
    expect([exitCode, sent]).toEqual([0, { opening: 1 }]);
    expect(stdout).toMatch(/^00-r1\/pay is being rerun: the run is pending\n/);
  });

  test('a second time says how the run stands', async () => {
    await shell.serve({
      'GET /v1/runs/00-r1': { body: run },
      'POST /v1/dead-letters/00-r1/pay/redrive': {
        body: { ...redriven, outcome: 'already-redriven', status: 'running' },
      },
    });
    const { exitCode, stdout } = await shell.run(['dead-letters', 'redrive', '00-r1', 'pay']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^00-r1\/pay had been redriven before: the run is running\n/);
  });

  test('of what is none is refused with 2', async () => {
    await shell.serve({
      'GET /v1/runs/00-r1': { body: run },
      'POST /v1/dead-letters/00-r1/pay/redrive': problemAnswer(
        404,
        'DEAD_LETTER_NOT_FOUND',
        'step pay is no dead letter',
      ),
    });
    const { exitCode, stderr } = await shell.run(['dead-letters', 'redrive', '00-r1', 'pay']);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('step pay is no dead letter')]);
  });

  const item = { id: '00-r1/pay', runId: '00-r1', stepId: 'pay' };

  test('of many sends the filter, and tells what became of each', async () => {
    let sent: unknown;
    await shell.serve({
      'POST /v1/dead-letters/redrive': (_url, body) => {
        sent = body;
        return {
          body: {
            dryRun: false,
            counts: { redriven: 1 },
            items: [{ ...item, outcome: 'redriven', status: 'pending' }],
            more: true,
          },
        };
      },
    });
    const args = ['redrive', '--workflow', 'orders', '--error-code', 'ECONNRESET', '--limit', '1'];
    const { exitCode, stdout } = await shell.run(['dead-letters', ...args]);
    expect([exitCode, sent]).toEqual([0, { workflow: 'orders', errorCode: 'ECONNRESET', limit: 1 }]);
    expect(stdout).toMatch(/00-r1 +pay +redriven +pending\n1 redriven\nthere may be more/);
  });

  test('--dry-run says which; what failed exits with 1', async () => {
    await shell.serve({
      'POST /v1/dead-letters/redrive': {
        body: { dryRun: true, counts: { matched: 1 }, items: [{ ...item, outcome: 'matched' }], more: false },
      },
      'POST /v1/dead-letters/discard': {
        body: {
          ...{ dryRun: false, counts: { failed: 1 }, more: false },
          items: [{ ...item, outcome: 'failed', error: { code: 'RUN_NOT_FOUND', message: 'there is no run' } }],
        },
      },
    });
    const dry = await shell.run(['dead-letters', 'redrive', '--all', '--dry-run']);
    expect([dry.exitCode, dry.stdout]).toEqual([0, expect.stringContaining('1 would be redriven\n')]);
    const failed = await shell.run(['dead-letters', 'discard', '--all', '--json']);
    expect([failed.exitCode, failed.json().counts]).toEqual([1, { failed: 1 }]);
  });

  test.each([
    [[], 'which ones?'],
    [['00-r1'], 'which step of run 00-r1?'],
    [['00-r1', 'pay', '--workflow', 'orders'], 'takes either'],
    [['00-r1', 'pay', '--limit', '2'], 'takes either'],
  ])('%j is refused with 2', async (args, message) => {
    const { exitCode, stderr } = await shell.run(['dead-letters', 'redrive', ...args]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('redrive alone is told where it is', async () => {
  const { exitCode, stderr } = await shell.run(['redrive']);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining('Did you mean dead-letters redrive?')]);
});
