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
