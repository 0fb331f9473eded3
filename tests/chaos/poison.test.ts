import { fileURLToPath } from 'node:url';
import { type Fleet, findViolations, type RunRecord, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const full = process.env['FLOTILLA_CHAOS'] === 'full';
/** Losses that a step may have before it is quarantined by the next one: 10, each of which takes a lease's time. */
const LOSSES = full ? 10 : 1;
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const BYSTANDER_MS = 8000;

let fleet: Fleet;
let record: RunRecord;
const bystanders: RunRecord[] = [];

/** Starts a worker for each that the step has ended, and a run beside it, until the step's run has ended. */
async function keepWorking(runId: string): Promise<void> {
  while ((await fleet.api.run(runId)).endedAt === undefined) {
    const [worker] = fleet.workers;
    if (worker === undefined) {
      await fleet.addWorker();
      const echo = { kind: 'task', use: 'flotilla.echo', input: { n: 1 } };
      const definition = { flotilla: 1, name: 'bystander', steps: { a: echo, b: { ...echo, needs: ['a'] } } };
      bystanders.push(await fleet.api.runToEnd({ definition }, BYSTANDER_MS));
    } else {
      await Promise.race([worker.process.exited, hasEnded(runId)]);
    }
  }
}

async function hasEnded(runId: string): Promise<void> {
  await fleet.api.waitForEnd([runId], { timeoutMs: 30_000, intervalMs: 100 });
}

beforeAll(async () => {
  const env = { FLOTILLA_HANDLERS: path('fixtures/ends-worker.ts') };
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workerEnv: env,
    ...(full ? {} : { env: { FLOTILLA_MUTATION: 'quarantine-soon' }, nodeArgs: ['--import', path('mutate.mjs')] }),
  });
  const poison = { kind: 'task', use: 'ends-worker', retry: { maxAttempts: 3 } };
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'poison', steps: { poison } } });
  await keepWorking(runId);
  record = await fleet.api.record(runId);
}, 200_000);
afterAll(() => fleet.stop());

describe('a step that ends its worker every time', () => {
  test('is quarantined when it has been lost once more than allowed, and its run fails', () => {
    expect(record.run).toMatchObject({ status: 'failed', error: { code: 'CRASH_LIMIT' } });
    expect(record.steps).toMatchObject([{ status: 'quarantined', error: { type: 'crash' } }]);
    expect(record.events.filter(({ type }) => type === 'attempt-lost')).toHaveLength(LOSSES + 1);
    expect(record.events.filter(({ type }) => type === 'step-quarantined')).toHaveLength(1);
  });

  test('breaks no invariant', () => {
    expect(findViolations(record)).toEqual([]);
  });

  test('does not hold up others', () => {
    expect(bystanders.map(({ run }) => run.status)).toEqual(bystanders.map(() => 'succeeded'));
    expect(bystanders.length).toBeGreaterThan(0);
  });
});
