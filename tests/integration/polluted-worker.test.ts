import { fileURLToPath } from 'node:url';
import type { AgentView } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  const handlers = fileURLToPath(new URL('./fixtures/polluting-handlers.ts', import.meta.url));
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    workerEnv: { FLOTILLA_HANDLERS: handlers },
  });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
});

const run = (name: string, use: string) => ({
  definition: { flotilla: 1, name, steps: { a: { kind: 'task', use } } },
});

test('forty innocent runs succeed although one of two workers cannot compile their definitions, and that one is judged', async () => {
  // Its own run may end or not: what matters is what it leaves behind.
  const { runId: polluting } = await fleet.api.start(run('pollute', 'pollute'));
  await fleet.api.waitForEvent(polluting, ({ type }) => type === 'attempt-started');
  const started = await Promise.all(
    Array.from({ length: 40 }, (_, index) => fleet.api.start(run(`innocent-${index}`, 'innocent'))),
  );
  const runIds = started.map(({ runId }) => runId);
  await fleet.api.waitForEnd(runIds, { timeoutMs: 60_000 });
  const ended = await Promise.all(runIds.map((runId) => fleet.api.run(runId)));
  expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(['succeeded']));
  await eventually(
    async () => {
      const { agents } = await fleet.api.get<{ agents: AgentView[] }>('/v1/agents');
      return agents.some(({ status }) => status === 'unhealthy' || status === 'probation');
    },
    { timeoutMs: 10_000 },
  );
}, 90_000);
