import { eventually } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ContainerFleet } from './container-fleet.ts';
import { type Judgement, judgeUnderLoad } from './judge-load.ts';

const MOST_WORKERS = 4;

let fleet: ContainerFleet;
let judged: Judgement;
const exitCodes: number[] = [];
/** Attempts that each worker had under way at the same moment, at least once. */
let mostBusy = 0;
let scaledDownAt = 0;

beforeAll(async () => {
  // Few attempts at once: one worker alone cannot keep up with this load.
  fleet = await ContainerFleet.start({ workers: 1, concurrency: 4 });
  judged = await judgeUnderLoad(fleet, {
    name: 'scaling',
    activeRuns: 24,
    // More than one worker can make at once, on purpose: what is due waits its turn.
    bounds: { timerLateMs: 120_000 },
    deed: async () => {
      await Promise.all(Array.from({ length: MOST_WORKERS - 1 }, () => fleet.add('worker')));
      await fleet.waitForWorkers(MOST_WORKERS);
      await eventually(allBusy, { timeoutMs: 30_000, intervalMs: 100, message: 'all workers to have work' });
      const surplus = fleet.workers.slice(1);
      exitCodes.push(...(await Promise.all(surplus.map((worker) => fleet.terminate(worker)))));
      scaledDownAt = Date.now();
      await fleet.waitForWorkers(1);
    },
  });
}, 240_000);
afterAll(() => fleet.stop());

async function allBusy(): Promise<boolean> {
  const busy = (await fleet.api.agents()).filter(({ load }) => load.running > 0).length;
  mostBusy = Math.max(mostBusy, busy);
  return busy === MOST_WORKERS;
}

describe('when a fleet grows from one worker to four and shrinks to one again, under load', () => {
  test('the new ones share the work', () => {
    expect(mostBusy).toBe(MOST_WORKERS);
  });

  test('those that go end in order, and no attempt is lost', () => {
    expect(exitCodes).toEqual([0, 0, 0]);
    const lost = judged.records.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'));
    expect(lost).toEqual([]);
  });

  test('the one that stays makes the rest, and every run ends right', () => {
    expect(judged.problems).toEqual([]);
    const late = judged.records.flatMap(({ events }) =>
      events.filter(({ type, at }) => type === 'attempt-started' && at > scaledDownAt),
    );
    expect(new Set(late.map(({ worker }) => worker))).toEqual(new Set([fleet.workers[0]?.id]));
  });
});
