import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findLeftovers, findViolations } from '@flotilla/checker';
import { createClient, type FlotillaClient } from '@flotilla/client';
import type { DeadLetterView } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

/** Two own processes, after two losses of a lease's time each; starts of processes are what a busy machine makes slow. */
const QUARANTINED_WITHIN_MS = 180_000;

let fleet: Fleet;
let client: FlotillaClient;
let folder: string;
let keepingUp: NodeJS.Timeout;
const folders: string[] = [];
beforeAll(async () => {
  const handlers = ['fixtures/fails-until.ts', 'fixtures/poison-until.ts'];
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    schedulers: 2,
    workerEnv: { FLOTILLA_HANDLERS: handlers.map((file) => fileURLToPath(new URL(file, import.meta.url))).join() },
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
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-dead-letters-'));
  folders.push(folder);
  client = createClient({ url: fleet.url });
});
afterAll(async () => {
  clearInterval(keepingUp);
  await fleet.stop();
  for (const one of folders) rmSync(one, { recursive: true });
});

const failing = (name: string, needs: readonly string[] = []) => ({
  kind: 'task',
  use: 'fails-until',
  input: { folder, name, fails: true },
  ...(needs.length > 0 && { needs }),
});
const mend = (name: string) => writeFileSync(join(folder, `mended-${name}`), '');
const madeOf = (name: string) =>
  readFileSync(join(folder, 'made'), 'utf8')
    .split('\n')
    .filter((one) => one === name).length;
const ids = (letters: readonly DeadLetterView[]) => letters.map(({ id }) => id).sort();

async function start(name: string, steps: object, rest: object = {}): Promise<string> {
  const { runId } = await fleet.api.start({ definition: { flotilla: 1, name, steps, ...rest } });
  return runId;
}

async function startAndEnd(name: string, steps: object, rest: object = {}): Promise<string> {
  const runId = await start(name, steps, rest);
  await fleet.api.waitForEnd([runId], { timeoutMs: QUARANTINED_WITHIN_MS });
  return runId;
}

/** The run succeeds, its steps commit once, and nothing is wrong with its history. */
async function expectRecovered(runId: string, reopened: number): Promise<void> {
  await fleet.api.waitForEnd([runId]);
  const record = await fleet.api.record(runId);
  expect(record.run).toMatchObject({ status: 'succeeded', opening: reopened + 1 });
  const committed = record.events.filter(({ type }) => type === 'step-succeeded').map(({ stepId }) => stepId);
  expect(committed.sort()).toEqual(record.steps.map(({ stepId }) => stepId).sort());
  expect(findViolations(record)).toEqual([]);
}

test(
  'steps that failed for good and that were quarantined are listed, filtered and shown',
  async () => {
    const poison = start('poisonous', { eat: { kind: 'task', use: 'poison-until', input: { folder, name: 'eat' } } });
    const failed = await startAndEnd('broken', { pay: failing('pay'), ship: failing('ship', ['pay']) });
    await fleet.api.waitForEnd([await poison], { timeoutMs: QUARANTINED_WITHIN_MS });
    const eaten = `${await poison}/eat`;
    const { deadLetters } = await client.deadLetters();
    expect(ids(deadLetters)).toEqual([`${failed}/pay`, eaten].sort());
    expect(ids((await client.deadLetters({ reason: 'quarantined' })).deadLetters)).toEqual([eaten]);
    expect(ids((await client.deadLetters({ workflow: 'broken' })).deadLetters)).toEqual([`${failed}/pay`]);
    expect((await client.deadLetters({ use: 'fails-until', errorCode: 'CRASH_LIMIT' })).deadLetters).toEqual([]);
    const detail = await client.deadLetter(await poison, 'eat');
    expect(detail).toMatchObject({ reason: 'quarantined', use: 'poison-until', error: { code: 'CRASH_LIMIT' } });
    expect(detail.crashes).toBeGreaterThanOrEqual(2);
    expect(detail.events.at(-1)).toMatchObject({ type: 'step-quarantined', stepId: 'eat' });

    mend('eat');
    expect(await client.redriveDeadLetter(await poison, 'eat')).toMatchObject({ outcome: 'redriven', opening: 2 });
    await expectRecovered(await poison, 1);
    expect(await client.redriveDeadLetter(await poison, 'eat')).toMatchObject({
      ...{ outcome: 'already-redriven', status: 'succeeded' },
    });
    expect(await client.discardDeadLetter(failed, 'pay')).toMatchObject({ outcome: 'discarded' });
    expect(await client.discardDeadLetter(failed, 'pay')).toMatchObject({ outcome: 'already-discarded' });
    expect((await client.deadLetters()).deadLetters).toEqual([]);
  },
  QUARANTINED_WITHIN_MS * 2,
);

describe('redriving', () => {
  test('one of two of a run keeps what had succeeded, and leaves the other dead', async () => {
    const steps = {
      good: { ...failing('good'), input: { folder, name: 'good' } },
      left: failing('left', ['good']),
      right: failing('right', ['good']),
      after: { ...failing('after', ['left']), input: { folder, name: 'after' } },
    };
    const runId = await startAndEnd('two', steps, { failFast: false });
    expect(ids((await client.deadLetters({ workflow: 'two' })).deadLetters)).toEqual([
      `${runId}/left`,
      `${runId}/right`,
    ]);
    mend('left');
    await client.redriveDeadLetter(runId, 'left');
    await fleet.api.waitForEnd([runId]);
    expect((await client.deadLetters({ workflow: 'two' })).deadLetters).toMatchObject([
      { stepId: 'right', opening: 2 },
    ]);
    expect([madeOf('good'), madeOf('left'), madeOf('right'), madeOf('after')]).toEqual([1, 2, 1, 1]);
    mend('right');
    await client.redriveDeadLetter(runId, 'right');
    await expectRecovered(runId, 2);
    expect([madeOf('good'), madeOf('left'), madeOf('right'), madeOf('after')]).toEqual([1, 2, 2, 1]);
  });

  test('in bulk makes of all that fit one reopening a run, and of the others none', async () => {
    const two = () => ({ left: failing('left'), right: failing('right') });
    const runs = await Promise.all([1, 2, 3].map(() => startAndEnd('bulk', two(), { failFast: false })));
    const other = await startAndEnd('not-meant', { left: failing('left') });
    const dry = await client.redriveDeadLetters({ workflow: 'bulk', dryRun: true });
    expect(dry).toMatchObject({ counts: { matched: 6 }, more: false });
    mend('left');
    mend('right');
    const first = await client.redriveDeadLetters({ workflow: 'bulk', limit: 1 });
    // The letters of one run are not divided.
    expect(first).toMatchObject({ counts: { redriven: 2 }, more: true });
    expect(await client.redriveDeadLetters({ workflow: 'bulk' })).toMatchObject({
      counts: { redriven: 4 },
      more: false,
    });
    for (const runId of runs) await expectRecovered(runId, 1);
    expect(await client.redriveDeadLetters({ workflow: 'bulk' })).toMatchObject({ items: [], more: false });
    expect(await fleet.api.run(other)).toMatchObject({ status: 'failed' });
    expect(await client.discardDeadLetters({ workflow: 'not-meant' })).toMatchObject({ counts: { discarded: 1 } });
  });
});

test('a scheduler that is killed in the middle of a bulk redrive loses and doubles nothing', async () => {
  const RUNS = 60;
  const names = Array.from({ length: RUNS }, (_, index) => `storm-${index}`);
  const runs = await Promise.all(names.map((name) => startAndEnd('storm', { pay: failing(name) })));
  expect((await client.redriveDeadLetters({ workflow: 'storm', dryRun: true })).counts).toEqual({ matched: RUNS });
  for (const name of names) mend(name);
  const [victim] = fleet.schedulers;
  const cut = createClient({ url: victim!.url! }).redriveDeadLetters({ workflow: 'storm' });
  const isCut = expect(cut).rejects.toMatchObject({ ambiguous: true });
  const [survivor] = fleet.schedulers.slice(1);
  const left = createClient({ url: survivor!.url! });
  await eventually(
    async () => (await left.deadLetters({ workflow: 'storm', limit: 500 })).deadLetters.length <= RUNS - 10,
    {
      ...{ timeoutMs: 10_000, intervalMs: 5, message: 'ten of them are opened again' },
    },
  );
  await victim!.kill9();
  await isCut;
  const rest = await left.redriveDeadLetters({ workflow: 'storm' });
  // It was in the middle: something was left.
  expect(rest.counts.redriven).toBeGreaterThan(0);
  expect(rest.counts.redriven).toBeLessThanOrEqual(RUNS - 10);
  for (const runId of runs) await expectRecovered(runId, 1);
  // Once failed, once made: no redrive was made twice.
  expect(names.map(madeOf)).toEqual(names.map(() => 2));
  expect((await left.deadLetters()).deadLetters).toEqual([]);
  await eventually(async () => (await findLeftovers(fleet.redisUrl, fleet.namespace, { tasks: false })).length === 0, {
    ...{ timeoutMs: 30_000, message: 'nothing is left to do' },
  });
}, 120_000);
