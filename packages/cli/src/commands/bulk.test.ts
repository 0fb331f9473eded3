import { afterEach, describe, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const job = { bulkId: 'b1', action: 'cancel', state: 'done', done: 2, failed: 1, total: 3, createdAt: 1 };

/** Answers like a scheduler, and keeps what it was sent. */
async function serveBulk(): Promise<unknown[]> {
  const sent: unknown[] = [];
  await shell.serve({
    'POST /v1/bulk': (_url, body) => {
      sent.push(body);
      return { body: (body as { dryRun: boolean }).dryRun ? { count: 3 } : { bulkId: 'b1', count: 3 } };
    },
  });
  return sent;
}

describe('bulk cancel', () => {
  test('with --yes starts a job of what fits, and says how to follow it', async () => {
    const sent = await serveBulk();
    const options = ['--status', 'running', '--workflow', 'orders', '--reason', 'sold out', '--yes'];
    const { exitCode, stdout } = await shell.run(['bulk', 'cancel', ...options]);
    expect([exitCode, sent]).toEqual([
      0,
      [
        {
          ...{ action: 'cancel', filter: { status: 'running', workflow: 'orders' } },
          ...{ reason: 'sold out', dryRun: false },
        },
      ],
    ]);
    expect(stdout).toMatch(/^b1: cancel 3 runs\nfollow it with: .* bulk status b1\n$/);
  });

  test('without --yes counts, does nothing and ends with 2', async () => {
    const sent = await serveBulk();
    const { exitCode, stderr } = await shell.run(['bulk', 'cancel', 'r1', 'r2', 'r3']);
    expect([exitCode, sent]).toEqual([2, [{ action: 'cancel', ids: ['r1', 'r2', 'r3'], dryRun: true }]]);
    expect(stderr).toContain('cancel applies to 3 runs; nothing was done');
  });

  test('with --dry-run counts and ends with 0', async () => {
    await serveBulk();
    const { exitCode, stdout } = await shell.run(['bulk', 'cancel', '--tag', 'red', '--dry-run']);
    expect([exitCode, stdout]).toEqual([0, 'cancel would apply to 3 runs\n']);
  });

  test.each([[[]], [['r1', '--tag', 'red']]])('of %j is refused with 2', async (words) => {
    const sent = await serveBulk();
    const { exitCode, stderr } = await shell.run(['bulk', 'cancel', ...words, '--yes']);
    expect([exitCode, sent, stderr]).toEqual([2, [], expect.stringContaining('which runs?')]);
  });
});

test('bulk status says how far a job is and what failed, and ends with 1 when something has', async () => {
  const error = { code: 'RUN_NOT_FOUND', message: 'there is no run r2' };
  await shell.serve({
    'GET /v1/bulk/b1': { body: job },
    'GET /v1/bulk/b1/items': {
      body: {
        items: [
          { runId: 'r1', outcome: 'done' },
          { runId: 'r2', outcome: 'failed', error },
        ],
      },
    },
  });
  const { exitCode, stdout } = await shell.run(['bulk', 'status', 'b1']);
  expect(exitCode).toBe(1);
  expect(stdout).toBe('b1 (cancel) is done: 2 of 3 runs done, 1 failed\n  r2: RUN_NOT_FOUND: there is no run r2\n');
});

test('bulk abort tells how the job stands, and bulk lists all of them', async () => {
  const stopped = { ...job, state: 'aborting', failed: 0 };
  await shell.serve({
    'POST /v1/bulk/b1/abort': { body: stopped },
    'GET /v1/bulk': { body: { bulks: [stopped] } },
  });
  const aborted = await shell.run(['bulk', 'abort', 'b1']);
  expect(aborted.stdout).toBe('b1 (cancel) is aborting: 2 of 3 runs done, 0 failed\n');
  expect((await shell.run(['bulk'])).stdout).toMatch(/^JOB .*\nb1 +cancel +aborting +2 +0 +3 /);
});
