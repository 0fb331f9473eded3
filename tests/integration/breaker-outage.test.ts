import { findViolations } from '@flotilla/checker';
import type { BreakerView } from '@flotilla/contracts';
import {
  type Dependency,
  eventually,
  type Fleet,
  recordMachineTime,
  startDependency,
  startFleet,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** A dependency of a thousand steps is dead, four workers find that out, and it comes back. */

const INTERVAL_MS = 1000;
const OUTAGE_INTERVALS = 6;
const RUNS = 9;
const STEPS_OF_A_RUN = 100;
const ITEMS = 100;
const STEPS = RUNS * STEPS_OF_A_RUN + ITEMS;
/** Machine time. Workers that have not heard yet may begin a call in this moment after the opening. */
const HEARING_MS = 250;

/** One in twenty may come back in a second; counted in spans in which a busy machine's pauses even out. */
const SPAN_MS = 5000;

const machine = recordMachineTime();
let fleet: Fleet;
let dependency: Dependency;
beforeAll(async () => {
  dependency = await startDependency('works');
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 4,
    workerEnv: {
      FLOTILLA_CONCURRENCY: '8',
      FLOTILLA_HTTP_ALLOW: new URL(dependency.url).host,
      FLOTILLA_BREAKER_PROBE_INTERVAL_MS: String(INTERVAL_MS),
    },
  });
}, 90_000);
afterAll(async () => {
  machine.stop();
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await dependency.close();
  expect(ends).toEqual([]);
});

const call = () => ({ kind: 'http', request: { url: dependency.url }, breaker: 'payments' });

const fan = () => ({
  flotilla: 1,
  name: 'fan',
  steps: Object.fromEntries(Array.from({ length: STEPS_OF_A_RUN }, (_, index) => [`s${index}`, call()])),
});

const map = () => ({
  flotilla: 1,
  name: 'items',
  steps: {
    each: {
      kind: 'map',
      over: JSON.stringify(Array.from({ length: ITEMS }, (_, n) => n)),
      concurrency: ITEMS,
      each: call(),
    },
  },
});

async function payments(): Promise<BreakerView | undefined> {
  const { breakers } = await fleet.api.get<{ breakers: BreakerView[] }>('/v1/breakers');
  return breakers.find(({ name }) => name === 'payments');
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a dependency that is dead', () => {
  test('is asked once an interval by the whole fleet, costs no attempt, and gets its steps back spread out', async () => {
    // Workers that have called it before: what follows is not about how they start.
    const { run } = await fleet.api.runToEnd({ definition: { ...fan(), retry: { maxAttempts: 5 } } });
    expect(run.status).toBe('succeeded');
    dependency.mood = 'answers 500';
    const definitions = [...Array.from({ length: RUNS }, fan), map()];
    const runs = await Promise.all(definitions.map((definition) => fleet.api.start({ definition })));
    const runIds = runs.map(({ runId }) => runId);
    const opened = await eventually(
      async () => {
        const breaker = await payments();
        return breaker?.state === 'open' ? breaker : undefined;
      },
      { timeoutMs: 15_000, message: 'the breaker to open' },
    );
    await pass(OUTAGE_INTERVALS * INTERVAL_MS);
    const waiting = (await payments())!;
    const isHeard = (at: number) => machine.between(opened.since, at) > HEARING_MS;
    const calls = dependency.calls.filter(isHeard);
    const gaps = calls.slice(1).map((at, index) => at - calls[index]!);
    const passedMs = Date.now() - opened.since;
    expect(waiting.since).toBe(opened.since);
    expect(calls.length).toBeGreaterThanOrEqual(OUTAGE_INTERVALS / 2);
    // A call may arrive late on a busy machine and the next at once; but never more of them than there were intervals.
    expect(calls.length).toBeLessThanOrEqual(passedMs / INTERVAL_MS);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(INTERVAL_MS / 2);
    expect(waiting.parked).toBeGreaterThan(STEPS * 0.5);

    dependency.mood = 'works';
    const backAt = Date.now();
    await fleet.api.waitForEnd(runIds, { timeoutMs: 150_000, intervalMs: 500 });
    const records = await fleet.api.records(runIds);
    expect(records.filter(({ run }) => run.status !== 'succeeded')).toEqual([]);
    const charged = records.flatMap(({ events }) => {
      const ends = events.filter(({ type }) => ['attempt-failed', 'attempt-timed-out'].includes(type));
      const begins = new Map(events.filter(({ type }) => type === 'attempt-started').map((e) => [e.attemptId, e.at]));
      return ends.filter(({ attemptId }) => isHeard(begins.get(attemptId) ?? Number.POSITIVE_INFINITY));
    });
    const back = dependency.calls.filter((at) => at >= backAt);
    const spans = new Map<number, number>();
    for (const at of back) {
      const span = Math.floor((at - back[0]!) / SPAN_MS);
      spans.set(span, (spans.get(span) ?? 0) + 1);
    }
    expect(charged).toEqual([]);
    expect(Math.max(...spans.values())).toBeLessThanOrEqual((STEPS * 0.05 * SPAN_MS) / 1000);
    expect(records.flatMap((record) => findViolations(record))).toEqual([]);
  }, 240_000);
});
