import { afterEach, expect, test } from '@jest/globals';
import { type FleetSnapshot, renderFleet } from '../progress/render-fleet.ts';
import { Interrupted } from '../terminal.ts';
import { commandLine } from '../testing/command-line.ts';
import { fakeTerminal } from '../testing/fake-terminal.ts';

const shell = commandLine(() => '/');
afterEach(() => shell.stop());

const runs = Array.from({ length: 40 }, (_, index) => ({
  ...{
    runId: `r${index}`,
    workflow: 'orders',
    definitionHash: 'h',
    status: 'running' as const,
    createdAt: 1000,
    tags: [],
  },
  waiting: [{ reason: 'breaker' as const, subject: 'payments', since: 1000, steps: 1 }],
}));
const agents = Array.from({ length: 20 }, (_, index) => ({
  ...{ agentId: `w${index}`, workerId: `w${index}`, host: 'one', pid: 1, version: '1', startedAt: 0, lastSeenAt: 9000 },
  ...{ status: index === 19 ? ('lost' as const) : ('healthy' as const), since: 0, intake: 'all' as const },
  ...{ capabilities: [], queues: ['default'], handlers: [], load: { running: 2, slots: 10 } },
}));
const report = {
  ...{ verdict: 'degraded' as const, summary: 'Breaker payments is open.', at: 11_000 },
  findings: [{ code: 'BREAKER_OPEN' as const, severity: 'degraded' as const, message: 'm', next: 'Look at payments.' }],
};
const counts = { status: { running: 40, failed: 1 }, waiting: { breaker: 40, 'breaker:payments': 40 } };
const breakers = [
  { name: 'payments', state: 'open' as const, since: 1000, parked: 40, manual: false, trials: 0 },
  { name: 'mail', state: 'closed' as const, since: 1000, parked: 0, manual: false, trials: 0 },
];
const snapshot = { report, list: { runs, counts }, agents, breakers } as unknown as FleetSnapshot;

test.each([
  [80, 24],
  [200, 60],
  [40, 12],
])('the live view of a large fleet fits %i columns and %i rows', (columns, rows) => {
  const lines = renderFleet(snapshot, columns, rows);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
  expect(lines.length).toBeLessThanOrEqual(Math.max(rows, 16));
});

test('the live view says what is wrong, what waits for what, which breaker is open, and what it leaves out', () => {
  const lines = renderFleet(snapshot, 120, 24);
  expect(lines.slice(0, 5)).toEqual([
    'degraded: Breaker payments is open.',
    '  BREAKER_OPEN: Look at payments.',
    'runs: running 40, failed 1',
    'waiting: breaker:payments 40',
    'breaker payments: open for 10.0 s, 40 parked',
  ]);
  expect(lines).toContain('w0     healthy  2/10  one');
  expect(lines.some((line) => line.startsWith('w19'))).toBe(false);
  expect(lines.filter((line) => /^… and \d+ more$/.test(line))).toHaveLength(2);
});

async function serveFleet(): Promise<void> {
  await shell.serve({
    'GET /v1/report': { body: report },
    'GET /v1/runs': (url) => ({ body: url.searchParams.get('counts') === 'true' ? { runs: [], counts } : { runs } }),
    'GET /v1/agents': { body: { agents } },
    'GET /v1/breakers': { body: { breakers } },
  });
}

test('top prints once where the output is not a terminal, and one document with --json', async () => {
  await serveFleet();
  const { exitCode, stdout } = await shell.run(['top']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('runs: running 40, failed 1\n');
  expect((await shell.run(['top', '--json'])).json()).toMatchObject({
    report: { verdict: 'degraded' },
    list: { counts },
  });
});

test('top on a terminal is drawn until it is interrupted, ends with 0 and gives the cursor back', async () => {
  await serveFleet();
  const terminal = fakeTerminal({ interactive: true, env: { ...shell.terminal().env } as Record<string, string> });
  const write = terminal.write.bind(terminal);
  // The first picture is enough.
  terminal.write = (text) => {
    write(text);
    if (text.includes('degraded')) terminal.interrupt(new Interrupted('SIGINT'));
  };
  const { exitCode } = await shell.run(['top'], {}, terminal);
  expect(exitCode).toBe(0);
  expect(terminal.stdout().startsWith('\u001b[?25l')).toBe(true);
  expect(terminal.stdout().endsWith('\u001b[?25h')).toBe(true);
});
