import type { HistoryEvent } from '@flotilla/contracts';
import { afterEach, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const progress = (seq: number) => ({ runId: '00-r1', stepId: 'page', kind: 'progress', seq, verified: true });
const saves = (from: number, to: number): HistoryEvent[] =>
  Array.from({ length: to - from }, (_, index) => ({
    ...{ seq: from + index, at: 1, type: 'checkpoint-saved', stepId: 'page' },
  }));

/** A run whose step has saved 3 times when the command begins, `kept` when it reads the checkpoints, and 5 times afterwards. */
async function serveWhileSaving(kept: number): Promise<void> {
  await shell.serve({
    'GET /v1/runs/00-r1/checkpoints': { body: { checkpoints: [progress(kept)] } },
    'GET /v1/runs/00-r1/history': (url) => {
      const after = Number(url.searchParams.get('after') ?? -1);
      const events = after < 2 ? saves(0, 3) : saves(3, 5);
      return { body: { events, next: events.at(-1)!.seq } };
    },
  });
}

test.each([3, 4, 5])('checkpoints verify finds nothing wrong with a step that saves meanwhile: %d', async (kept) => {
  await serveWhileSaving(kept);
  const { exitCode, stdout } = await shell.run(['checkpoints', 'verify', '00-r1']);
  expect(stdout).toBe('1 checkpoint: all good\n');
  expect(exitCode).toBe(0);
});

test.each([2, 6])('checkpoints verify tells of progress that the history never counted: %d', async (kept) => {
  await serveWhileSaving(kept);
  const { exitCode, stdout } = await shell.run(['checkpoints', 'verify', '00-r1']);
  expect(stdout).toContain(`the history counts 5 saved, the newest that is kept is number ${kept}`);
  expect(exitCode).toBe(1);
});
