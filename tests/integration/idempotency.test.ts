import { findViolations } from '@flotilla/checker';
import { createClient, type FlotillaClient } from '@flotilla/client';
import type { RunStarted } from '@flotilla/contracts';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const STARTS = 50;
const definition = {
  flotilla: 1,
  name: 'order',
  steps: { pay: { kind: 'task', use: 'flotilla.echo', input: { n: '${{ run.input.n }}' } } },
  output: '${{ steps.pay.output.n }}',
};

let fleet: Fleet;
/** Several clients of each of the two schedulers. */
let clients: FlotillaClient[];
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), schedulers: 2 });
  clients = Array.from({ length: 6 }, (_, index) =>
    createClient({ url: fleet.schedulers[index % 2]!.url!, deadlineMs: 20_000 }),
  );
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

/** The same start, sent by all clients at once. */
function startAtOnce(options: { idempotencyKey?: string; runId?: string }): Promise<RunStarted[]> {
  return Promise.all(
    Array.from({ length: STARTS }, (_, index) => clients[index % clients.length]!.start(definition, { n: 7 }, options)),
  );
}

async function expectOneRun(runId: string, runsBefore: number): Promise<void> {
  await fleet.api.waitForEnd([runId]);
  const record = await fleet.api.record(runId);
  expect(record.run).toMatchObject({ status: 'succeeded', output: 7 });
  expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
  expect(await countRuns()).toBe(runsBefore + 1);
}

async function countRuns(): Promise<number> {
  let count = 0;
  for await (const _run of clients[0]!.listAll()) count += 1;
  return count;
}

describe('G1 starts are idempotent', () => {
  test('G1 50 concurrent starts with one idempotency key give one run and 49 deduplicated answers', async () => {
    const before = await countRuns();
    const answers = await startAtOnce({ idempotencyKey: 'order 4711: Ω' });
    expect(new Set(answers.map(({ runId }) => runId)).size).toBe(1);
    expect(answers.filter(({ deduplicated }) => deduplicated)).toHaveLength(STARTS - 1);
    await expectOneRun(answers[0]!.runId, before);
  }, 40_000);

  test('G1 50 concurrent starts with one run id give one run', async () => {
    const before = await countRuns();
    const answers = await startAtOnce({ runId: 'order-4712' });
    expect(new Set(answers.map(({ runId }) => runId))).toEqual(new Set(['order-4712']));
    expect(answers.filter(({ deduplicated }) => deduplicated)).toHaveLength(STARTS - 1);
    await expectOneRun('order-4712', before);
  }, 40_000);

  test('the same key answers with the same run after it has ended', async () => {
    const [one, other] = clients as [FlotillaClient, FlotillaClient];
    const first = await one.start(definition, { n: 1 }, { idempotencyKey: 'order-4713' });
    await one.wait(first.runId);
    const again = await other.start(definition, { n: 1 }, { idempotencyKey: 'order-4713' });
    expect(again).toMatchObject({ runId: first.runId, deduplicated: true, status: 'succeeded' });
  }, 40_000);

  test.each([
    ['input', definition, { n: 2 }],
    ['definition', { ...definition, output: '${{ steps.pay.output }}' }, { n: 1 }],
  ])(
    'the same key with another %s is refused, and nothing is stored',
    async (what, changed, input) => {
      const [one, other] = clients as [FlotillaClient, FlotillaClient];
      const idempotencyKey = `order-${what}`;
      await one.start(definition, { n: 1 }, { idempotencyKey });
      const before = await countRuns();
      await expect(other.start(changed, input, { idempotencyKey })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      });
      const raw = await fleet.api.request('POST', '/v1/runs', { definition: changed, input, idempotencyKey });
      expect(raw).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
      expect(await countRuns()).toBe(before);
    },
    40_000,
  );
});
