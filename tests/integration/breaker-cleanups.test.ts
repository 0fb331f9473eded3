import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import type { BreakerView, CleanupList, Why } from '@flotilla/contracts';
import { type Dependency, eventually, type Fleet, startDependency, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

/** A dependency is dead while runs that have called it are undone. */

let fleet: Fleet;
let dependency: Dependency;
beforeAll(async () => {
  dependency = await startDependency('works');
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workerEnv: {
      FLOTILLA_HANDLERS: fileURLToPath(new URL('./fixtures/cleanup-handlers.ts', import.meta.url)),
      FLOTILLA_HTTP_ALLOW: new URL(dependency.url).host,
      FLOTILLA_BREAKER_PROBE_INTERVAL_MS: '1000',
      REFUND_URL: dependency.url,
    },
  });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await dependency.close();
  expect(ends).toEqual([]);
});

const call = (more: object = {}) => ({ kind: 'http', request: { url: dependency.url }, breaker: 'payments', ...more });
const cleanupOf = async (runId: string) =>
  (await fleet.api.get<CleanupList>(`/v1/runs/${runId}/cleanups`)).cleanups[0]!;

async function untilPaymentsIs(state: BreakerView['state']): Promise<void> {
  const isSo = async () => {
    const { breakers } = await fleet.api.get<{ breakers: BreakerView[] }>('/v1/breakers');
    return breakers.some((breaker) => breaker.name === 'payments' && breaker.state === state);
  };
  await eventually(isSo, { timeoutMs: 20_000, message: `the breaker to be ${state}` });
}

test('what a cancelled run has to undo waits behind the breaker of its step, uncharged, and is made when it is back', async () => {
  const retry = { maxAttempts: 2, initialMs: 10 };
  const steps = {
    charge: call({ compensate: 'refund', retry }),
    long: { kind: 'task', use: 'flotilla.sleep', input: { ms: 600_000 }, needs: ['charge'] },
  };
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'paid', steps } });
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'attempt-started' && stepId === 'long');

  dependency.mood = 'answers 500';
  const fan = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`s${index}`, call()]));
  const others = await fleet.api.start({ definition: { flotilla: 1, name: 'others', steps: fan } });
  await untilPaymentsIs('open');
  await fleet.api.post(`/v1/runs/${runId}/cancel?waitMs=0`, {});
  const parked = await eventually(
    async () => {
      const cleanup = await cleanupOf(runId);
      return cleanup.status === 'parked' ? cleanup : undefined;
    },
    { timeoutMs: 20_000, message: 'the compensation to be parked' },
  );
  expect(parked).toMatchObject({ reason: 'breaker:payments', attempts: 0 });
  const { gates } = await fleet.api.get<Why>(`/v1/runs/${runId}/why?stepId=charge`);
  expect(gates.find(({ gate }) => gate === 'breaker')).toMatchObject({
    subject: 'payments',
    message: expect.stringMatching(/^its compensation refund: waits for payments: breaker /),
  });

  dependency.mood = 'works';
  await fleet.api.waitForEnd([runId, others.runId], { timeoutMs: 120_000, intervalMs: 250 });
  const record = await fleet.api.record(runId);
  expect(record.run).toMatchObject({ status: 'cancelled', cleanups: { left: 0, failed: 0 } });
  const charged = record.events.filter(({ type }) => type === 'cleanup-retried' || type === 'cleanup-failed');
  expect(charged).toEqual([]);
  expect(findViolations(record)).toEqual([]);
}, 180_000);
