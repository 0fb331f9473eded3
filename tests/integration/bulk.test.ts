import type { BulkItem, BulkItemList, BulkStarted, BulkView, RunList } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), schedulers: 2, workers: 1 });
}, 60_000);
afterAll(() => fleet.stop());

const TIMEOUT_MS = 180_000;
const waits = (name: string) => ({ flotilla: 1, name, steps: { wait: { kind: 'delay', forMs: 3_600_000 } } });

async function startMany(name: string, count: number): Promise<string[]> {
  const started: string[] = [];
  while (started.length < count) {
    const runs = Array.from({ length: Math.min(500, count - started.length) }, () => ({ definition: waits(name) }));
    const { body } = await fleet.api.request<{ runs: { runId: string }[] }>('POST', '/v1/runs/batch', { runs });
    started.push(...body.runs.map(({ runId }) => runId));
  }
  return started;
}

async function post<Body>(path: string, body?: object): Promise<Body> {
  const answer = await fleet.api.request<Body>('POST', path, body);
  if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
  return answer.body;
}

async function startBulk(body: object): Promise<string> {
  const { bulkId } = await post<BulkStarted>('/v1/bulk', body);
  if (bulkId === undefined) throw new Error('no job was made');
  return bulkId;
}

const job = async (id: string) => (await fleet.api.request<BulkView>('GET', `/v1/bulk/${id}`)).body;

function jobThat(id: string, is: (view: BulkView) => boolean): Promise<BulkView> {
  return eventually(
    async () => {
      const view = await job(id);
      return is(view) ? view : undefined;
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

const ended = (id: string) => jobThat(id, ({ state }) => state === 'done' || state === 'aborted');

async function itemsOf(id: string): Promise<BulkItem[]> {
  const items: BulkItem[] = [];
  let cursor: string | undefined;
  do {
    const path = `/v1/bulk/${id}/items?limit=500${cursor === undefined ? '' : `&cursor=${cursor}`}`;
    const { body } = await fleet.api.request<BulkItemList>('GET', path);
    items.push(...body.items);
    cursor = body.cursor;
  } while (cursor !== undefined);
  return items;
}

async function eventsOf(runId: string, type: string): Promise<number> {
  return (await fleet.api.history(runId)).filter((event) => event.type === type).length;
}

test(
  'a job goes on when its scheduler is killed half-way: all of 2,000 runs are cancelled, none twice',
  async () => {
    const runIds = await startMany('killed', 2000);
    const filter = { workflow: 'killed' };
    const preview = await post<BulkStarted>('/v1/bulk', { action: 'cancel', filter, dryRun: true });
    expect(preview).toMatchObject({ count: 2000 });
    const id = await startBulk({ action: 'cancel', filter, reason: 'sold out' });
    await jobThat(id, ({ done }) => done >= 200);
    const [first] = fleet.schedulers;
    if (first === undefined) throw new Error('no scheduler runs');
    await first.kill9();
    await fleet.replace(first);
    await jobThat(id, ({ done }) => done >= 1000);
    const second = fleet.schedulers.find(({ url }) => url !== first.url);
    if (second === undefined) throw new Error('one scheduler runs');
    await second.kill9();
    await fleet.replace(second);
    expect(await ended(id)).toMatchObject({ state: 'done', done: 2000, failed: 0, total: 2000 });
    const items = await itemsOf(id);
    expect(items.map(({ runId }) => runId).sort()).toEqual([...runIds].sort());
    expect(new Set(items.map(({ outcome }) => outcome))).toEqual(new Set(['done']));
    for (let at = 0; at < runIds.length; at += 40) {
      const requested = runIds.slice(at, at + 40).map((runId) => eventsOf(runId, 'cancel-requested'));
      expect(new Set(await Promise.all(requested))).toEqual(new Set([1]));
    }
    const events = await fleet.api.history(items[0]?.runId ?? '');
    expect(JSON.stringify(events)).toContain(`sold out (bulk job ${id})`);
  },
  TIMEOUT_MS * 2,
);

test(
  'an aborted job touches no further run, and says which were not tried',
  async () => {
    await startMany('aborted', 1000);
    const id = await startBulk({ action: 'pause', filter: { workflow: 'aborted' } });
    await jobThat(id, ({ done }) => done > 0);
    await post<BulkView>(`/v1/bulk/${id}/abort`);
    const { state, done, total } = await ended(id);
    expect({ state, total, isPart: done < total }).toEqual({ state: 'aborted', total: 1000, isPart: true });
    const items = await itemsOf(id);
    expect(items.filter(({ outcome }) => outcome === 'not-tried')).toHaveLength(total - done);
    const paused = await post<BulkStarted>('/v1/bulk', {
      ...{ action: 'resume', filter: { workflow: 'aborted', status: 'paused' }, dryRun: true },
    });
    expect(paused.count).toBe(done);
    const cancelling = await startBulk({ action: 'cancel', filter: { workflow: 'aborted' } });
    expect(await ended(cancelling)).toMatchObject({ state: 'done', done: 1000 });
  },
  TIMEOUT_MS,
);

test(
  'each named run has an outcome, whatever it is',
  async () => {
    const [one = '', other = ''] = await startMany('named', 2);
    await fleet.api.request('POST', `/v1/runs/${other}/pause`);
    const id = await startBulk({ action: 'pause', ids: [one, '00-nobody', other, one] });
    expect(await ended(id)).toMatchObject({ state: 'done', done: 2, failed: 1, total: 3 });
    expect(await itemsOf(id)).toEqual([
      { runId: one, outcome: 'done' },
      { runId: '00-nobody', outcome: 'failed', error: { code: 'RUN_NOT_FOUND', message: expect.any(String) } },
      { runId: other, outcome: 'unchanged' },
    ]);
    expect(await ended(await startBulk({ action: 'resume', ids: [one, other] }))).toMatchObject({ done: 2 });
    const { body } = await fleet.api.request<RunList>('GET', '/v1/runs?workflow=named&status=paused');
    expect(body.runs).toEqual([]);
    await ended(await startBulk({ action: 'cancel', ids: [one, other] }));
  },
  TIMEOUT_MS,
);

test(
  'failed runs are redriven, then retried, once each',
  async () => {
    const definition = {
      ...{ flotilla: 1, name: 'failing' },
      steps: { pay: { kind: 'task', use: 'flotilla.fail', input: { times: 1000 }, retry: { maxAttempts: 1 } } },
    };
    const runs = Array.from({ length: 5 }, () => fleet.api.start({ definition }));
    const runIds = (await Promise.all(runs)).map(({ runId }) => runId);
    for (const [opening, action] of [
      [2, 'redrive'],
      [3, 'retry'],
    ] as const) {
      await fleet.api.waitForEnd(runIds);
      const id = await startBulk({ action, filter: { workflow: 'failing', status: 'failed' } });
      expect(await ended(id)).toMatchObject({ state: 'done', done: 5, failed: 0, total: 5 });
      expect(new Set((await itemsOf(id)).map(({ outcome }) => outcome))).toEqual(new Set(['done']));
      await fleet.api.waitForEnd(runIds);
      const openings = await Promise.all(runIds.map((runId) => fleet.api.run(runId)));
      expect(new Set(openings.map((run) => run.opening))).toEqual(new Set([opening]));
    }
  },
  TIMEOUT_MS,
);

test.each([
  [{ action: 'cancel', filter: {} }, 'VALIDATION_FAILED'],
  [{ action: 'cancel' }, 'VALIDATION_FAILED'],
  [{ action: 'cancel', ids: [] }, 'VALIDATION_FAILED'],
  [{ action: 'forget', ids: ['a'] }, 'VALIDATION_FAILED'],
])('%j is refused', async (body, code) => {
  expect((await fleet.api.request('POST', '/v1/bulk', body)).body).toMatchObject({ code });
});

test('a job that there is not is BULK_NOT_FOUND', async () => {
  for (const path of ['/v1/bulk/none', '/v1/bulk/none/items']) {
    expect((await fleet.api.request('GET', path)).body).toMatchObject({ code: 'BULK_NOT_FOUND', status: 404 });
  }
  expect((await fleet.api.request('POST', '/v1/bulk/none/abort')).body).toMatchObject({ code: 'BULK_NOT_FOUND' });
});
