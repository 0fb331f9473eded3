import { findViolations } from '@flotilla/checker';
import type { HistoryEvent } from '@flotilla/contracts';
import { type Fleet, recordMachineTime, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const WORKERS = 4;
const SLOTS = 10;
const STEPS = 200;
const STEP_MS = 1000;
const BEST_MS = (STEPS / (WORKERS * SLOTS)) * STEP_MS;
/** Machine time, for the engine; half a wave of steps would be 500 ms a wave. */
const MOST_MAKESPAN_MS = 1.5 * BEST_MS;
const MOST_IDLE_MS = 1000;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: WORKERS,
    workerEnv: { FLOTILLA_CONCURRENCY: String(SLOTS) },
  });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

function fan(width: number, ms: number): object {
  const step = { kind: 'task', use: 'flotilla.sleep', input: { ms } };
  return {
    flotilla: 1,
    name: 'fan',
    steps: Object.fromEntries(Array.from({ length: width }, (_, index) => [`s${index}`, step])),
  };
}

interface Idleness {
  makespanMs: number;
  /** The longest time a worker had a free slot while steps were ready that nobody had started; by worker. */
  longestIdleMs: Record<string, number>;
}

/** Reads from the history of a fan when each worker had a free slot although steps were left to start. */
function idlenessOf(
  events: readonly HistoryEvent[],
  workers: readonly string[],
  msBetween: (from: number, to: number) => number,
): Idleness {
  const starts = events.filter(({ type }) => type === 'attempt-started');
  const beginsAt = events[0]!.at;
  const lastStartAt = starts.at(-1)!.at;
  const longestIdleMs: Record<string, number> = {};
  for (const worker of workers) {
    let busy = 0;
    let longest = 0;
    let idleSince: number | undefined = beginsAt;
    const running = new Set<string>();
    for (const { type, stepId = '', worker: by, at } of events) {
      if (at > lastStartAt) break;
      if (type === 'attempt-started' && by === worker) {
        running.add(stepId);
        busy += 1;
        if (busy === SLOTS && idleSince !== undefined) {
          longest = Math.max(longest, msBetween(idleSince, at));
          idleSince = undefined;
        }
      } else if (type === 'attempt-succeeded' && running.delete(stepId)) {
        busy -= 1;
        idleSince ??= at;
      }
    }
    longestIdleMs[worker] = Math.max(longest, msBetween(idleSince ?? lastStartAt, lastStartAt));
  }
  // The steps' own time is the same on any machine; what is beyond it is the machine's as well as the engine's.
  return { makespanMs: BEST_MS + msBetween(beginsAt + BEST_MS, events.at(-1)!.at), longestIdleMs };
}

async function expectFairFan(title: string): Promise<void> {
  const machine = recordMachineTime();
  const record = await fleet.api.runToEnd({ definition: fan(STEPS, STEP_MS) }, 30_000);
  expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
  const workers = fleet.workers.map(({ id }) => id);
  const { makespanMs, longestIdleMs } = idlenessOf(record.events, workers, machine.between);
  machine.stop();
  const idle = Object.values(longestIdleMs);
  process.stdout.write(
    `fairness: ${title}: makespan ${Math.round(makespanMs)} ms (best ${BEST_MS}), longest free slot ${idle.map(Math.round).join(', ')} ms\n`,
  );
  expect(makespanMs).toBeLessThan(MOST_MAKESPAN_MS);
  expect(idle.filter((ms) => ms > MOST_IDLE_MS)).toEqual([]);
}

describe('no worker is idle while another holds unstarted steps', () => {
  test('of a handler that nothing is known of', () => expectFairFan('unknown'), 40_000);

  test('of a handler that was learnt to be tiny', async () => {
    const tiny = await fleet.api.runToEnd({ definition: fan(500, 0) });
    expect(tiny.run.status).toBe('succeeded');
    await expectFairFan('learnt as tiny');
  }, 60_000);
});
