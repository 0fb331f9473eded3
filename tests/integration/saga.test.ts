import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { findViolations } from '@flotilla/checker';
import type { FailedCleanupList, RunRetried, RunView } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

interface Order {
  what: string;
  runId: string;
  key: string;
}

/** A shop that does what it is asked once a key, and refuses what it is told to refuse: before or after it was done. */
let shop: Server;
let fleet: Fleet;
const known = new Set<string>();
const done: Order[] = [];
let refusing = new Map<string, 'before' | 'after'>();

beforeAll(async () => {
  shop = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk as string;
    const order = JSON.parse(text) as Order;
    const refusal = refusing.get(order.what);
    if (refusal !== 'before' && !known.has(order.key)) {
      known.add(order.key);
      done.push(order);
    }
    response.writeHead(refusal === undefined ? 200 : 422).end();
  });
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve));
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    workerEnv: {
      FLOTILLA_HANDLERS: fileURLToPath(new URL('./fixtures/shop-handlers.ts', import.meta.url)),
      SHOP_URL: `http://127.0.0.1:${(shop.address() as AddressInfo).port}`,
    },
  });
}, 60_000);
beforeEach(() => {
  refusing = new Map();
});
afterAll(async () => {
  await fleet.stop();
  shop.closeAllConnections();
  await new Promise((resolve) => shop.close(resolve));
});

const STEPS = ['reserve', 'charge', 'ship', 'notify'] as const;
const step = (what: string, more: object = {}) => ({
  ...{ kind: 'task', use: 'shop.order', input: { what }, compensate: 'shop.undo' },
  ...more,
});
const saga = {
  flotilla: 1,
  name: 'saga',
  steps: {
    reserve: step('reserve'),
    charge: step('charge', { needs: ['reserve'] }),
    ship: step('ship', { needs: ['charge'] }),
    notify: step('notify', { needs: ['ship'], compensate: undefined }),
  },
};

const keysOf = (runId: string) => done.filter((one) => one.runId === runId).map(({ key }) => key);
const timesOf = (runId: string, what: string) => done.filter((one) => one.runId === runId && one.what === what).length;
/** How often each was done, less how often it was undone. */
const standing = (runId: string) =>
  Object.fromEntries(STEPS.map((what) => [what, timesOf(runId, what) - timesOf(runId, `undo ${what}`)]));
const ONCE = { reserve: 1, charge: 1, ship: 1, notify: 1 };

async function startAndEnd(definition: object): Promise<RunView> {
  const { runId } = await fleet.api.start({ definition });
  await fleet.api.waitForEnd([runId]);
  return fleet.api.run(runId);
}

const again = {
  redrive: (runId: string, stepId: string) => `/v1/dead-letters/${runId}/${stepId}/redrive`,
  retry: (runId: string) => `/v1/runs/${runId}/retry`,
};

async function goOn(how: keyof typeof again, runId: string, stepId: string): Promise<RunView> {
  await fleet.api.post(again[how](runId, stepId));
  await fleet.api.waitForEnd([runId]);
  return fleet.api.run(runId);
}

const WAYS = (['redrive', 'retry'] as const).flatMap((how) =>
  STEPS.flatMap((failing) => (['before', 'after'] as const).map((refusal) => [how, failing, refusal] as const)),
);

describe('G4 an order that was undone and goes on, with a shop that drops repeated keys', () => {
  test.each(WAYS)(
    '%s from %s, refused %s its effect: charged once for what is shipped, refunded once for what is undone',
    async (how, failing, refusal) => {
      refusing.set(failing, refusal);
      const { runId, status } = await startAndEnd(saga);
      expect(status).toBe('failed');
      const before = STEPS.slice(0, STEPS.indexOf(failing));
      for (const times of [1, 2]) {
        if (times === 2) expect((await goOn(how, runId, failing)).status).toBe('failed');
        for (const what of before) {
          expect([what, timesOf(runId, what), timesOf(runId, `undo ${what}`)]).toEqual([what, times, times]);
        }
      }
      refusing.clear();
      expect((await goOn(how, runId, failing)).status).toBe('succeeded');
      expect(standing(runId)).toEqual(ONCE);
    },
    40_000,
  );

  test.each(['redrive', 'retry'] as const)(
    '%s makes the items of a map that were undone under new keys, and the others under their own',
    async (how) => {
      const items = {
        kind: 'map',
        over: '["a", "b", "c"]',
        each: step('${{ item }}', { needs: undefined }),
        concurrency: 1,
      };
      const definition = { flotilla: 1, name: 'saga-of-items', steps: { items } };
      refusing.set('c', 'after');
      const { runId } = await startAndEnd(definition);
      refusing.clear();
      expect((await goOn(how, runId, 'items')).status).toBe('succeeded');
      const times = (what: string) => [timesOf(runId, what), timesOf(runId, `undo ${what}`)];
      expect([times('a'), times('b'), times('c')]).toEqual([
        [2, 1],
        [2, 1],
        [1, 0],
      ]);
    },
    40_000,
  );

  test('a dry run says what runs again, with which keys, and what was undone, and does nothing; the redrive says it, too', async () => {
    refusing.set('ship', 'before');
    const { runId } = await startAndEnd(saga);
    const expected = {
      counts: { again: 3, newKeys: 2, first: 1, undone: 2, failedCleanups: 0 },
      steps: [
        { stepId: 'reserve', why: 'undone', newKey: true, idempotencyKey: `${runId}/reserve/opening/2` },
        { stepId: 'charge', why: 'undone', newKey: true, idempotencyKey: `${runId}/charge/opening/2` },
        { stepId: 'ship', why: 'failed', newKey: false, idempotencyKey: `${runId}/ship` },
      ],
      leftFailed: [],
      undone: [
        { number: 0, stepId: 'reserve', kind: 'compensation', use: 'shop.undo' },
        { number: 1, stepId: 'charge', kind: 'compensation', use: 'shop.undo' },
      ],
      failedCleanups: [],
    };
    const retry = await fleet.api.post(again.retry(runId), { dryRun: true });
    expect(retry).toEqual({ runId, status: 'failed', opening: 2, alreadyRetried: false, dryRun: true, plan: expected });
    const redrive = await fleet.api.post(again.redrive(runId, 'ship'), { dryRun: true });
    expect(redrive).toMatchObject({ outcome: 'matched', status: 'failed', opening: 2, plan: expected });
    const many = await fleet.api.post('/v1/dead-letters/redrive', { workflow: 'saga', stepId: 'ship', dryRun: true });
    expect(many).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ runId, again: expected.counts })]),
    });
    expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed' });
    expect((await fleet.api.run(runId)).opening).toBeUndefined();
    refusing.clear();
    const done = await fleet.api.post(again.redrive(runId, 'ship'));
    expect(done).toMatchObject({ outcome: 'redriven', opening: 2, plan: expected });
    await fleet.api.waitForEnd([runId]);
    expect(done).not.toHaveProperty('dryRun');
    const keys = new Set(keysOf(runId));
    for (const { idempotencyKey } of expected.steps) expect(keys).toContain(idempotencyKey);
    expect(await fleet.api.post(again.redrive(runId, 'ship'), { opening: 1, dryRun: true })).toMatchObject({
      outcome: 'already-redriven',
    });
  }, 40_000);

  test('a dry run has the errors of the retry', async () => {
    const { runId } = await startAndEnd({ flotilla: 1, name: 'fine', steps: { one: step('fine') } });
    const { status, body } = await fleet.api.request('POST', again.retry(runId), { dryRun: true });
    expect([status, body]).toMatchObject([409, { code: 'NOTHING_TO_RETRY' }]);
    const unknown = await fleet.api.request('POST', again.redrive(runId, 'none'), { dryRun: true });
    expect([unknown.status, unknown.body]).toMatchObject([404, { code: 'STEP_NOT_FOUND' }]);
  }, 40_000);

  test('what a failed attempt had registered and was undone is made again under a new key, too', async () => {
    const definition = {
      flotilla: 1,
      name: 'seized',
      steps: { seat: { kind: 'task', use: 'shop.seize', input: { what: 'seat' } } },
    };
    refusing.set('seat', 'after');
    const { runId } = await startAndEnd(definition);
    expect([timesOf(runId, 'seat'), timesOf(runId, 'undo seat')]).toEqual([1, 1]);
    refusing.clear();
    expect((await goOn('redrive', runId, 'seat')).status).toBe('succeeded');
    expect([timesOf(runId, 'seat'), timesOf(runId, 'undo seat')]).toEqual([2, 1]);
  }, 40_000);

  test.each(['before', 'after'] as const)(
    'a refund that fails for good, refused %s its effect, is listed, made again alone, and then the order is charged once',
    async (refusal) => {
      refusing.set('ship', 'before').set('undo charge', refusal);
      const { runId } = await startAndEnd(saga);
      const listed = async () => {
        const { runs } = await fleet.api.get<FailedCleanupList>('/v1/cleanups/failed');
        return runs.find((run) => run.runId === runId);
      };
      expect(await listed()).toMatchObject({
        ...{ workflow: 'saga', status: 'failed', failed: 1, left: 0 },
        cleanups: [{ number: 1, stepId: 'charge', use: 'shop.undo', error: { code: 'REFUSED' } }],
      });
      const isCounted = async () => {
        const answer = await fetch(`${fleet.url}/metrics`);
        return /^flotilla_runs_with_failed_cleanups [1-9]/m.test(await answer.text());
      };
      await eventually(isCounted, { timeoutMs: 20_000 });
      refusing.delete('undo charge');
      const retried = await fleet.api.post(`/v1/runs/${runId}/cleanups/1/retry`);
      expect(retried).toEqual({ runId, number: 1, alreadyRetried: false });
      await eventually(async () => (await listed()) === undefined);
      expect(await fleet.api.run(runId)).toMatchObject({ status: 'failed', cleanups: { failed: 0, left: 0 } });
      expect([timesOf(runId, 'charge'), timesOf(runId, 'undo charge')]).toEqual([1, 1]);
      refusing.clear();
      expect((await goOn('redrive', runId, 'ship')).status).toBe('succeeded');
      expect(standing(runId)).toEqual(ONCE);
      expect([timesOf(runId, 'charge'), timesOf(runId, 'undo charge')]).toEqual([2, 1]);
      expect(findViolations(await fleet.api.record(runId))).toEqual([]);
    },
    60_000,
  );

  test('keys are run/step until a step is undone, and stay the same where none was', async () => {
    const definition = {
      flotilla: 1,
      name: 'kept',
      steps: { one: step('one'), two: step('two', { needs: ['one'], compensate: undefined }) },
    };
    refusing.set('two', 'before').set('undo one', 'before');
    const { runId } = await startAndEnd(definition);
    const { plan } = await fleet.api.post<RunRetried>(again.retry(runId), { dryRun: true });
    expect(plan).toMatchObject({
      counts: { newKeys: 0, undone: 0, failedCleanups: 1 },
      steps: [{ stepId: 'one', newKey: false, idempotencyKey: `${runId}/one` }, { stepId: 'two' }],
      failedCleanups: [{ stepId: 'one', use: 'shop.undo', error: { code: 'REFUSED' } }],
    });
    refusing.clear();
    expect((await goOn('redrive', runId, 'two')).status).toBe('succeeded');
    // The compensation has failed for good: the charge stands, and the step keeps its key.
    expect(done.filter((one) => one.runId === runId).map(({ key }) => key)).toEqual([`${runId}/one`, `${runId}/two`]);
  }, 40_000);
});
