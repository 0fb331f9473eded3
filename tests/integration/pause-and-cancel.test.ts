import { findViolations } from '@flotilla/checker';
import type { CancelReceipt, HistoryEvent } from '@flotilla/contracts';
import {
  eventually,
  type Fleet,
  recordMachineTime,
  startFleet,
  startStopwatch,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const LENGTH = 200;
const STEP_MS = 5;
/** After so many steps of the chain the order is given. */
const POINTS = [1, 60];

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers: 2 });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

function sleep(ms: number, ...needs: string[]): object {
  return { kind: 'task', use: 'flotilla.sleep', input: { ms }, ...(needs.length > 0 && { needs }) };
}

function chain(length: number): object {
  const steps: Record<string, object> = {};
  for (let index = 0; index < length; index += 1) {
    steps[`s${index}`] = index === 0 ? sleep(STEP_MS) : sleep(STEP_MS, `s${index - 1}`);
  }
  return { flotilla: 1, name: 'chain', steps };
}

function fan(width: number, ms: number): object {
  return {
    flotilla: 1,
    name: 'fan',
    steps: Object.fromEntries(Array.from({ length: width }, (_, index) => [`s${index}`, sleep(ms)])),
  };
}

/** Starts the chain and returns when that many of its steps have ended. */
async function startChain(stepsDone: number): Promise<string> {
  const { runId } = await fleet.api.start({ definition: chain(LENGTH) });
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === `s${stepsDone}`);
  return runId;
}

const startsIn = (events: readonly HistoryEvent[]) => events.filter(({ type }) => type === 'attempt-started').length;

/** The events after one of that type, up to one of the other type. */
function between(events: readonly HistoryEvent[], from: HistoryEvent['type'], to?: HistoryEvent['type']) {
  const start = events.findIndex(({ type }) => type === from);
  expect(start).toBeGreaterThanOrEqual(0);
  const end = to === undefined ? events.length : events.findIndex(({ type }) => type === to);
  return events.slice(start + 1, end);
}

/** Two other runs from beginning to end on the same workers: long enough for what should stand still to move. */
async function letTimePass(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const { run } = await fleet.api.runToEnd({ definition: chain(40) });
    expect(run.status).toBe('succeeded');
  }
}

describe('a pause', () => {
  test.each(POINTS)(
    'takes effect between two continued steps, after step %d of a chain',
    async (point) => {
      const runId = await startChain(point);
      const answer = await fleet.api.post<{ status: string }>(`/v1/runs/${runId}/pause`);
      expect(answer.status).toBe('paused');
      const startsAtAnswer = startsIn(await fleet.api.history(runId));
      expect(startsAtAnswer).toBeLessThan(LENGTH);
      await letTimePass();
      expect(startsIn(await fleet.api.history(runId))).toBe(startsAtAnswer);
      expect((await fleet.api.run(runId)).status).toBe('paused');

      await fleet.api.post(`/v1/runs/${runId}/resume`);
      await fleet.api.waitForEnd([runId]);
      const record = await fleet.api.record(runId);
      expect(record.run.status).toBe('succeeded');
      expect(startsIn(between(record.events, 'run-paused', 'run-resumed'))).toBe(0);
      expect(startsIn(record.events)).toBe(LENGTH);
      expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
    },
    40_000,
  );

  test('holds back ready steps that wait for a slot', async () => {
    const { runId } = await fleet.api.start({ definition: fan(300, 200) });
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'step-succeeded');
    await fleet.api.post(`/v1/runs/${runId}/pause`);
    await letTimePass();
    await fleet.api.post(`/v1/runs/${runId}/resume`);
    await fleet.api.waitForEnd([runId]);
    const record = await fleet.api.record(runId);
    expect(record.run.status).toBe('succeeded');
    expect(startsIn(between(record.events, 'run-paused', 'run-resumed'))).toBe(0);
    expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
  }, 40_000);
});

describe('a cancel', () => {
  test.each(POINTS)(
    'G9 takes effect between two continued steps, after step %d of a chain',
    async (point) => {
      const runId = await startChain(point);
      const receipt = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel`, { reason: 'enough' });
      expect(receipt).toMatchObject({ status: 'cancelled', receipt: { runId, pending: [], alreadyEnded: false } });
      await letTimePass();
      const record = await fleet.api.record(runId);
      expect(record.run.status).toBe('cancelled');
      expect(startsIn(between(record.events, 'cancel-requested'))).toBe(0);
      expect(startsIn(record.events)).toBeLessThan(LENGTH);
      expect(findViolations(record)).toEqual([]);
    },
    40_000,
  );

  test('G9 aborts running attempts within 3 s and frees their slots', async () => {
    const { runId } = await fleet.api.start({ definition: fan(4, 60_000) });
    await eventually(async () => startsIn(await fleet.api.history(runId)) === 4, { timeoutMs: 10_000 });
    const machine = recordMachineTime();
    const machineMs = startStopwatch();
    const receipt = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel`);
    expect(machineMs()).toBeLessThan(3000);
    expect(receipt).toMatchObject({ status: 'cancelled', receipt: { pending: [] } });
    expect([...receipt.receipt.stoppedSteps].sort()).toEqual(['s0', 's1', 's2', 's3']);
    const { events } = await fleet.api.record(runId);
    const requested = events.find(({ type }) => type === 'cancel-requested')!;
    const ended = events.filter(({ type }) => type === 'attempt-cancelled');
    expect(ended).toHaveLength(4);
    expect(ended.filter(({ at }) => machine.between(requested.at, at) > 3000)).toEqual([]);
    machine.stop();
    await eventually(async () => (await fleet.api.agents()).every(({ load }) => load.running === 0), {
      timeoutMs: 5000,
      intervalMs: 100,
      message: 'all slots to be free',
    });
  }, 40_000);

  test('ends a paused run', async () => {
    const runId = await startChain(5);
    await fleet.api.post(`/v1/runs/${runId}/pause`);
    const receipt = await fleet.api.post<CancelReceipt>(`/v1/runs/${runId}/cancel`);
    expect(receipt.status).toBe('cancelled');
    expect(findViolations(await fleet.api.record(runId))).toEqual([]);
  }, 40_000);
});
