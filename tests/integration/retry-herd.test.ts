import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const STEPS = 1000;
const WORKERS = 2;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers: WORKERS });
}, 60_000);
afterAll(() => fleet.stop());

/** How many of these moments are in each second after the first failure. */
function perSecond(moments: readonly number[], firstAt: number): number[] {
  const counts: number[] = [];
  for (const at of moments) {
    const second = Math.floor((at - firstAt) / 1000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count = 0) => count);
}

test('PAINS 32: of a thousand steps that fail together no later second has more than 5 % of the retries', async () => {
  const each = { kind: 'task', use: 'flotilla.fail', input: { times: 1, status: 503 } };
  const items = Array.from({ length: STEPS }, (_, index) => index);
  const fan = { kind: 'map', over: 'run.input.items', concurrency: STEPS, each };
  const definition = { flotilla: 1, name: 'herd', steps: { fan } };
  const { run, events } = await fleet.api.runToEnd({ definition, input: { items } }, 100_000);
  expect(run.status).toBe('succeeded');
  const scheduled = events.filter(({ type }) => type === 'retry-scheduled');
  const starts = events.filter(({ type, attempt }) => type === 'attempt-started' && attempt === 2);
  expect([scheduled.length, starts.length]).toEqual([STEPS, STEPS]);
  const firstAt = Math.min(...scheduled.map(({ at }) => at));
  // When they are due is what is decided; when they start depends on how busy the machine is as well.
  const due = perSecond(
    scheduled.map(({ at, data }) => at + Number(data?.['delayMs'])),
    firstAt,
  );
  const started = perSecond(
    starts.map(({ at }) => at),
    firstAt,
  );
  process.stdout.write(`retries due in each second: ${due.join(' ')}\nretries started in each: ${started.join(' ')}\n`);
  expect(Math.max(...due.slice(1))).toBeLessThanOrEqual(STEPS * 0.05);
}, 120_000);
