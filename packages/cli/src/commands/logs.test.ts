import { afterEach, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const line = (seq: number, at: number, stepId: string, more: object = {}) => ({
  ...{ seq, at, stepId, attempt: 1, level: 'info', message: `line ${seq}` },
  ...more,
});
const logs = (lines: object[], dropped = 0) => ({ body: { lines, next: lines.length - 1, dropped } });

test('logs prints the lines of all steps by time, and how many are not kept', async () => {
  await shell.serve({
    'GET /v1/runs/r1/logs': {
      body: {
        steps: [
          { stepId: 'a', lines: 2, dropped: 0 },
          { stepId: 'b', lines: 1, dropped: 7 },
        ],
      },
    },
    'GET /v1/runs/r1/steps/a/logs': logs([line(0, 1000, 'a'), line(1, 3000, 'a', { fields: { n: 1 } })]),
    'GET /v1/runs/r1/steps/b/logs': logs([line(0, 2000, 'b', { level: 'warn', attempt: 2 })], 7),
  });
  const { exitCode, stdout } = await shell.run(['logs', 'r1']);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(`… b: 7 lines are not kept
00:00:01.000 info  a#1 line 0
00:00:02.000 warn  b#2 line 0
00:00:03.000 info  a#1 line 1 {"n":1}
`);
});

test('logs --follow goes on until the run has ended, and prints each line once', async () => {
  let asked = 0;
  await shell.serve({
    'GET /v1/runs/r1': () => {
      asked += 1;
      return { body: { runId: 'r1', status: asked > 2 ? 'succeeded' : 'running' } };
    },
    'GET /v1/runs/r1/steps/a/logs': (url) => {
      const after = Number(url.searchParams.get('after'));
      const lines = [line(0, 1000, 'a'), line(1, 2000, 'a'), line(2, 3000, 'a')].slice(after + 1, asked);
      return { body: { lines, next: after + lines.length, dropped: 0 } };
    },
  });
  const { stdout } = await shell.run(['logs', 'r1', 'a', '--follow', '--json']);
  expect(JSON.parse(stdout).lines.map(({ seq }: { seq: number }) => seq)).toEqual([0, 1, 2]);
});
