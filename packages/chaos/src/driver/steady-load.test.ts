import { eventually, FleetApi } from '@flotilla/local-fleet';
import { describe, expect, test } from '@jest/globals';
import { SteadyLoad } from './steady-load.ts';

interface Submission extends Record<string, unknown> {
  runId: string;
  idempotencyKey?: string;
  definition: { steps: Record<string, { use?: string; compensate?: string }> };
}

/** Accepts everything, and keeps what was asked for. Nothing begins: with `lists` all that it accepted are pending. */
function openScheduler({ lists = false } = {}) {
  const submitted: Submission[] = [];
  const cancelled: string[] = [];
  /** Statuses whose runs were listed. */
  const asked: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const { pathname, searchParams } = new URL(String(url));
    const cancelledId = /^\/v1\/runs\/([^/]+)\/cancel$/.exec(pathname)?.[1];
    if (cancelledId !== undefined) cancelled.push(cancelledId);
    if (cancelledId !== undefined || init?.method !== 'POST') {
      const status = searchParams.get('status');
      asked.push(status);
      return new Response(JSON.stringify({ runs: lists && status === 'pending' ? submitted : [] }));
    }
    const body = JSON.parse(String(init.body)) as Submission & { runs?: Submission[] };
    const runs = body.runs ?? [body];
    submitted.push(...runs);
    const answers = runs.map(({ runId }) => ({ runId, status: 'pending', deduplicated: false, durability: 'fast' }));
    return new Response(JSON.stringify(body.runs === undefined ? answers[0] : { runs: answers }));
  };
  return { api: new FleetApi(() => ['http://scheduler.example'], fetch), submitted, cancelled, asked };
}

const RUNS = 100;

async function play(options: { effects?: boolean; inBatches?: boolean; seed?: number } = {}) {
  const scheduler = openScheduler();
  const load = new SteadyLoad({ api: scheduler.api, seed: 7, activeRuns: RUNS, mostRuns: RUNS, ...options });
  load.start();
  await eventually(async () => load.graphs.length === RUNS, { timeoutMs: 10_000, message: 'all to be accepted' });
  await load.stop();
  const byId = Map.groupBy(scheduler.submitted, ({ runId }) => runId);
  return { ...scheduler, load, byId };
}

describe.each([false, true])('a load (in batches: %s)', (inBatches) => {
  test('submits one run in ten twice by a key, the second under another id that nobody is to see', async () => {
    const { byId, load } = await play({ inBatches });
    const keyed = [...byId.values()].flat().filter(({ idempotencyKey }) => idempotencyKey !== undefined);
    const byKey = Map.groupBy(keyed, ({ idempotencyKey }) => idempotencyKey);
    expect(byKey.size).toBe(RUNS / 10);
    for (const same of byKey.values()) {
      const [first, second] = same;
      expect(same.map(({ runId }) => runId)).toEqual([first!.runId, `${first!.runId}-again`]);
      expect({ ...second, runId: '' }).toEqual({ ...first, runId: '' });
    }
    expect(load.graphs.filter(({ runId }) => runId.endsWith('-again'))).toEqual([]);
  });

  test('has one run in ten that saves progress, and cancels one in twenty, which has a step to undo', async () => {
    const { byId, cancelled, load } = await play({ inBatches });
    const stepsOf = (runId: string) => Object.values(byId.get(runId)![0]!.definition.steps);
    const saving = load.graphs.filter(({ runId }) => stepsOf(runId).some(({ use }) => use === 'save-pages'));
    const undone = load.graphs.filter(({ runId }) => stepsOf(runId).some(({ compensate }) => compensate !== undefined));
    expect(saving).toHaveLength(RUNS / 10);
    expect(undone).toHaveLength(RUNS / 20);
    expect(cancelled.toSorted()).toEqual(undone.map(({ runId }) => runId).toSorted());
    expect(load.graphs.filter(({ graph }) => graph.isCancelled)).toEqual(undone);
  });
});

test('a load counts runs that have not begun: where no worker takes any it starts no more than are to be under way', async () => {
  const { api, submitted, asked } = openScheduler({ lists: true });
  const load = new SteadyLoad({ api, seed: 7, activeRuns: 5, mostRuns: RUNS, effects: false });
  load.start();
  await eventually(async () => asked.filter((status) => status === 'running').length >= 4, {
    timeoutMs: 10_000,
    message: 'the load to look again and again',
  });
  await load.stop();
  expect(new Set(submitted.map(({ runId }) => runId)).size).toBe(5);
});

test('a load is repeated by its seed', async () => {
  const plan = async (seed: number) => {
    const { byId, load } = await play({ seed });
    return { submitted: new Map([...byId].toSorted()), graphs: new Map(load.graphs.map((run) => [run.runId, run])) };
  };
  const first = await plan(7);
  expect(await plan(7)).toEqual(first);
  expect(await plan(8)).not.toEqual(first);
});

test('a load without effects only starts runs', async () => {
  const { byId, cancelled } = await play({ effects: false });
  expect(cancelled).toEqual([]);
  const all = [...byId.values()].flat();
  expect(all.filter(({ idempotencyKey }) => idempotencyKey !== undefined)).toEqual([]);
  const uses = new Set(
    all.flatMap(({ definition }) => Object.values(definition.steps).flatMap(({ use }) => use ?? [])),
  );
  expect([...uses].filter((use) => !use.startsWith('flotilla.'))).toEqual([]);
});
