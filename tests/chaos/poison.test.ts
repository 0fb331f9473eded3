import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import type { StepView } from '@flotilla/contracts';
import { eventually, type Fleet, mapInTurn, type RunRecord, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** Each takes a lease's time. */
const LOSSES_BESIDE_OTHERS = 2;
/** Two, and those of processes that another attempt had come through: they accuse nobody. */
const MOST_OWN_PROCESSES = 6;
/** On a quiet machine it takes 25 s; the starts of processes are what a busy one makes slow. */
const QUARANTINED_WITHIN_MS = 180_000;
const OUTSIDE_KILLS = 5;
const WAYS = ['kill', 'exit', 'abort'] as const;
const INNOCENTS = 6;

const folder = mkdtempSync(join(tmpdir(), 'flotilla-poison-'));
let fleet: Fleet;
let keepingUp: NodeJS.Timeout;
beforeAll(async () => {
  const handlers = fileURLToPath(new URL('fixtures/ends-worker.ts', import.meta.url));
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    workerEnv: { FLOTILLA_HANDLERS: handlers },
  });
  // As a supervisor does: a worker for each that has ended.
  let starting = 0;
  keepingUp = setInterval(() => {
    if (fleet.workers.length + starting >= 2) return;
    starting += 1;
    void fleet.addWorker().finally(() => {
      starting -= 1;
    });
  }, 100);
}, 60_000);
afterAll(async () => {
  clearInterval(keepingUp);
  await fleet.stop();
  rmSync(folder, { recursive: true });
});

const lossesOf = ({ events }: RunRecord) => events.filter(({ type }) => type === 'attempt-lost');

describe('a step that ends its process every time', () => {
  let records: RunRecord[];
  let innocents: RunRecord[];
  let tookMs: number;
  beforeAll(async () => {
    const startedAt = performance.now();
    const file = join(folder, 'innocent');
    const starts = WAYS.map((way) => ({
      definition: {
        flotilla: 1,
        name: 'poison',
        steps: { poison: { kind: 'task', use: 'ends-worker', input: { way }, retry: { maxAttempts: 3 } } },
      },
    }));
    const others = Array.from({ length: INNOCENTS }, () => ({
      definition: {
        flotilla: 1,
        name: 'innocent',
        steps: { innocent: { kind: 'task', use: 'tells-process', input: { file, ms: 1500 } } },
      },
    }));
    const ids = await mapInTurn([...others, ...starts], 8, async (start) => (await fleet.api.start(start)).runId);
    await fleet.api.waitForEnd(ids.slice(INNOCENTS), { timeoutMs: QUARANTINED_WITHIN_MS });
    tookMs = performance.now() - startedAt;
    await fleet.api.waitForEnd(ids, { timeoutMs: QUARANTINED_WITHIN_MS });
    const all = await mapInTurn(ids, 8, (runId) => fleet.api.record(runId));
    innocents = all.slice(0, INNOCENTS);
    records = all.slice(INNOCENTS);
    const lost = innocents.map((record) => lossesOf(record).length);
    process.stdout.write(
      `poison: ${WAYS.length} steps quarantined after ${Math.round(tookMs)} ms; losses ${records.map((record) => lossesOf(record).length).join(', ')}; ` +
        `innocents lost ${lost.join(' ')}\n`,
    );
  }, 2 * QUARANTINED_WITHIN_MS);

  test('is quarantined, and its run fails', () => {
    for (const { run, steps, events } of records) {
      expect(run).toMatchObject({ status: 'failed', error: { code: 'CRASH_LIMIT' } });
      expect(steps).toMatchObject([{ status: 'quarantined', attempts: 0, error: { type: 'crash' } }]);
      expect(events.filter(({ type }) => type === 'step-quarantined')).toHaveLength(1);
    }
  });

  test('is lost twice beside others, and ends two processes of its own', () => {
    for (const record of records) {
      const own = lossesOf(record).filter(({ data }) => data !== undefined);
      expect(lossesOf(record).length - own.length).toBe(LOSSES_BESIDE_OTHERS);
      expect(own.length).toBeGreaterThanOrEqual(2);
      expect(own.length).toBeLessThanOrEqual(MOST_OWN_PROCESSES);
      expect(own.at(-1)?.data).toMatchObject({ code: 'CRASH_LIMIT' });
    }
  });

  test('takes no step with it that ran beside it', () => {
    expect(innocents.map(({ run }) => run.status)).toEqual(innocents.map(() => 'succeeded'));
  });

  test('breaks no invariant', () => {
    expect([...records, ...innocents].flatMap((record) => findViolations(record))).toEqual([]);
  });
});

test('a step whose worker is killed 5 times from outside succeeds, and is charged nothing', async () => {
  const file = join(folder, 'go-on');
  const step = { kind: 'task', use: 'waits-for-file', input: { file }, retry: { maxAttempts: 1 } };
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'innocent', steps: { step } } });
  // A kill that meets no attempt, because it waits for a process of its own, takes nothing away.
  const step0 = async () => (await fleet.api.get<{ steps: StepView[] }>(`/v1/runs/${runId}/steps`)).steps[0]!;
  let worker: string | undefined;
  const killHolder = async () => {
    const view = await step0();
    // Before the next kill: the step may be under way again already.
    if ((view.lost ?? 0) >= OUTSIDE_KILLS) return true;
    const holder = fleet.workers.find(({ id }) => id === view.worker);
    if (view.status === 'running' && view.worker !== worker && holder !== undefined) {
      worker = view.worker;
      await holder.kill9();
    }
    return false;
  };
  await eventually(killHolder, { timeoutMs: 200_000, intervalMs: 100, message: `${OUTSIDE_KILLS} losses` });
  writeFileSync(file, '');
  await fleet.api.waitForEnd([runId], { timeoutMs: 30_000 });
  const record = await fleet.api.record(runId);
  expect(record.run).toMatchObject({ status: 'succeeded' });
  expect(record.steps).toMatchObject([{ status: 'succeeded', attempts: 1, lost: OUTSIDE_KILLS }]);
  expect(findViolations(record)).toEqual([]);
}, 300_000);
