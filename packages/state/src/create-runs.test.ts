import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/contracts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { eventually, type LocalRedis, sharedRedis, startRedis, startStopwatch, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { partitionTag, stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { partitionOfKey, partitionOfRun } from './run-id.ts';
import type { State } from './state.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';
import { TransitionBatch } from './transition-batch.ts';

const plan = shapeOf('created', [{ id: 'only' }]);
const PARTITIONS = 2;

let connection: RedisConnection;
let state: State<PlanShape>;
let namespace: string;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  namespace = testNamespace(import.meta.url);
  state = createTestState(connection.client, namespace, [plan], { partitions: PARTITIONS });
});
afterAll(() => closeConnection(connection));

/** A key, and a run id that lives in the other partition. */
function apart(): { idempotencyKey: string; runId: string } {
  const idempotencyKey = 'order-1';
  const runId = `0${1 - partitionOfKey(idempotencyKey, PARTITIONS)}-chosen`;
  expect(partitionOfRun(runId, PARTITIONS)).not.toBe(partitionOfKey(idempotencyKey, PARTITIONS));
  return { idempotencyKey, runId };
}

async function prune(runId: string): Promise<void> {
  await state.cancelRun(runId);
  expect(await state.transitions.pruneRun(state.tagOf(runId), runId)).toBe(true);
}

const countRuns = async () => (await state.listRuns({ limit: 100 })).runs.length;

describe('starting runs', () => {
  test('makes a run whose id names its partition', async () => {
    const { runId, status, deduplicated, durability } = await state.createRun(requestOf(plan, { tags: ['a', 'b'] }));
    expect({ status, deduplicated, durability }).toEqual({
      status: 'pending',
      deduplicated: false,
      durability: 'fast',
    });
    expect(await state.readRun(runId)).toMatchObject({ runId, workflow: 'created', tags: ['a', 'b'], input: { n: 1 } });
    expect(runId).toMatch(/^0[01]-[a-z2-7]{16}$/);
  });

  test('fifty times at once with one key makes one run', async () => {
    const request = requestOf(plan, { idempotencyKey: 'order-1' });
    const created = await Promise.all(Array.from({ length: 50 }, () => state.createRun(request)));
    expect(new Set(created.map(({ runId }) => runId)).size).toBe(1);
    expect(created.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    expect(await countRuns()).toBe(1);
  });

  test('fifty times at once from several schedulers with key and run id apart makes one run', async () => {
    const other = createTestState(connection.client, namespace, [plan], { partitions: PARTITIONS });
    const request = requestOf(plan, apart());
    const created = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? state : other).createRun(request)),
    );
    expect(new Set(created.map(({ runId }) => runId))).toEqual(new Set([request.runId]));
    expect(created.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    expect(await countRuns()).toBe(1);
  });

  test.each([
    ['the same key', { idempotencyKey: 'order-1' }],
    ['the same run id', { runId: 'chosen' }],
    ['key and run id in different partitions', apart()],
  ])('with %s and another body is IDEMPOTENCY_CONFLICT', async (_, identity) => {
    const { runId } = await state.createRun(requestOf(plan, identity));
    const again = state.createRun(requestOf(plan, { ...identity, bodyHash: 'other body' }));
    await expect(again).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
      message: expect.stringContaining(runId),
    });
    expect(await countRuns()).toBe(1);
  });

  test('with a key answers with the first run, whatever id is asked for the second time', async () => {
    const first = await state.createRun(requestOf(plan, { idempotencyKey: 'order-1' }));
    for (const runId of ['00-another', '01-another']) {
      const again = await state.createRun(requestOf(plan, { idempotencyKey: 'order-1', runId }));
      expect(again).toMatchObject({ runId: first.runId, deduplicated: true });
    }
    expect(await countRuns()).toBe(1);
  });

  test('with a key alone finds the run of another partition, and what has become of it', async () => {
    const { idempotencyKey, runId } = apart();
    await state.createRun(requestOf(plan, { idempotencyKey, runId }));
    await state.cancelRun(runId);
    const again = await state.createRun(requestOf(plan, { idempotencyKey }));
    expect(again).toMatchObject({ runId, deduplicated: true, status: 'cancelled' });
  });

  describe('with a key that was reserved by a maker that crashed', () => {
    const { idempotencyKey, runId } = apart();
    const keyTag = () => partitionTag(namespace, partitionOfKey(idempotencyKey, PARTITIONS));
    const keyHash = createHash('sha256').update(idempotencyKey).digest('base64url');
    /** What a maker does first, and no more. */
    const reserve = () => batch.apply(keyTag(), 'reserve-key', [keyHash, runId, 'body', 60_000]);
    let batch: TransitionBatch;
    beforeEach(() => {
      batch = new TransitionBatch({ client: connection.client, namespace, kind: 'admission', deadlineMs: 4000 });
    });
    const others = [
      ['the key alone', { idempotencyKey }],
      ['key and run id', { idempotencyKey, runId }],
      ['the key and an id of its own partition', { idempotencyKey, runId: `0${1 - Number(runId.slice(0, 2))}-other` }],
    ] as const;

    test.each(others)('%s makes the run that it was reserved for, once', async (_, identity) => {
      expect(await reserve()).toEqual(['reserved']);
      const request = requestOf(plan, identity);
      expect(await state.createRun(request)).toMatchObject({ runId, deduplicated: false, status: 'pending' });
      expect(await state.createRun(request)).toMatchObject({ runId, deduplicated: true, status: 'pending' });
      expect(await countRuns()).toBe(1);
      await prune(runId);
      await expect(state.createRun(request)).rejects.toMatchObject({ code: 'RUN_PRUNED' });
    });

    test.each(others)('%s confirms the run that it made before it crashed', async (_, identity) => {
      await state.createRun(requestOf(plan, { runId }));
      await reserve();
      const request = requestOf(plan, identity);
      expect(await state.createRun(request)).toMatchObject({ runId, deduplicated: true });
      await prune(runId);
      await expect(state.createRun(request)).rejects.toMatchObject({ code: 'RUN_PRUNED' });
      expect(await countRuns()).toBe(0);
    });
  });

  describe('with a key whose reservation was lost before its run was made', () => {
    const { idempotencyKey, runId } = apart();
    const keyTag = () => partitionTag(namespace, partitionOfKey(idempotencyKey, PARTITIONS));
    const keyHash = createHash('sha256').update(idempotencyKey).digest('base64url');
    const elsewhere = `0${1 - Number(runId.slice(0, 2))}-other`;

    /** Calls `meanwhile` when the key is reserved and the run is not made. */
    function interruptReserving(meanwhile: () => Promise<void>): void {
      const original = TransitionBatch.prototype.apply;
      jest.spyOn(TransitionBatch.prototype, 'apply').mockImplementation(async function (
        this: TransitionBatch,
        ...args
      ) {
        if (args[1] === 'create-run' && args[0] !== keyTag()) {
          jest.restoreAllMocks();
          await meanwhile();
        }
        return original.apply(this, args);
      });
    }
    const forget = () => connection.client.del(`${stateKey(keyTag(), 'idempotency')}${keyHash}`);

    test('puts the record back', async () => {
      interruptReserving(async () => void expect(await forget()).toBe(1));
      const request = requestOf(plan, { idempotencyKey, runId });
      expect(await state.createRun(request)).toMatchObject({ runId, deduplicated: false });
      const again = await state.createRun(requestOf(plan, { idempotencyKey }));
      expect(again).toMatchObject({ runId, deduplicated: true });
      expect(await countRuns()).toBe(1);
    });

    test('answers with the run of whoever took the key since, and cancels its own', async () => {
      interruptReserving(async () => {
        await forget();
        await state.createRun(requestOf(plan, { idempotencyKey, runId: elsewhere }));
      });
      const created = await state.createRun(requestOf(plan, { idempotencyKey, runId }));
      expect(created).toMatchObject({ runId: elsewhere, deduplicated: true });
      expect(await state.readRun(runId)).toMatchObject({ status: 'cancelled' });
      expect(await state.readRun(elsewhere)).toMatchObject({ status: 'pending' });
    });

    test('is IDEMPOTENCY_CONFLICT when the key was taken for another body since', async () => {
      interruptReserving(async () => {
        await forget();
        await state.createRun(requestOf(plan, { idempotencyKey, runId: elsewhere, bodyHash: 'other body' }));
      });
      await expect(state.createRun(requestOf(plan, { idempotencyKey, runId }))).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
        message: expect.stringContaining(elsewhere),
      });
      expect(await state.readRun(runId)).toMatchObject({ status: 'cancelled' });
    });
  });

  describe('with a key whose run has ended and was pruned is RUN_PRUNED', () => {
    const { idempotencyKey, runId: elsewhere } = apart();
    const beside = `0${partitionOfKey(idempotencyKey, PARTITIONS)}-chosen`;
    const firsts = { 'chosen by the key': undefined, "in the key's partition": beside, 'in another one': elsewhere };
    const agains = { 'no id': undefined, "an id of the key's partition": beside, 'an id of another one': elsewhere };
    const cases = Object.entries(firsts).flatMap(([first, firstId]) =>
      Object.entries(agains).map(([again, againId]) => [first, again, firstId, againId] as const),
    );

    test.each(cases)('with a run %s, asked for again with %s', async (_first, _again, firstId, againId) => {
      const { runId } = await state.createRun(requestOf(plan, { idempotencyKey, runId: firstId }));
      await prune(runId);
      for (const asked of [againId, againId === undefined ? undefined : `${againId}-2`]) {
        const again = state.createRun(requestOf(plan, { idempotencyKey, runId: asked }));
        await expect(again).rejects.toMatchObject({ code: 'RUN_PRUNED', message: expect.stringContaining(runId) });
      }
      expect(await countRuns()).toBe(0);
    });

    test.each([beside, elsewhere])('when the key found the run %s that had been made without one', async (runId) => {
      await state.createRun(requestOf(plan, { runId }));
      const request = requestOf(plan, { idempotencyKey, runId });
      expect(await state.createRun(request)).toMatchObject({ runId, deduplicated: true });
      await prune(runId);
      await expect(state.createRun(request)).rejects.toMatchObject({ code: 'RUN_PRUNED' });
    });

    test.each([beside, elsewhere])('until the time of the key is over, then %s is made anew', async (runId) => {
      const request = requestOf(plan, { idempotencyKey, runId, idempotencyTtlMs: 50 });
      await state.createRun(request);
      await prune(runId);
      const again = await eventually(() => state.createRun(request).catch(() => undefined));
      expect(again).toMatchObject({ runId, deduplicated: false });
    });
  });

  test('tells of a run that has been deduplicated how it is now', async () => {
    const request = requestOf(plan, { idempotencyKey: 'order-1' });
    const { runId } = await state.createRun(request);
    const worker = new TestWorker(state, runId);
    const claimed = await worker.take('0', 'one');
    expect(await state.createRun(request)).toMatchObject({ status: 'running', deduplicated: true });
    await worker.commit('0', 'one', claimed);
    expect(await state.createRun(request)).toMatchObject({ runId, status: 'succeeded', deduplicated: true });
  });

  test('forgets a key after its time', async () => {
    const request = requestOf(plan, { idempotencyKey: 'order-1', idempotencyTtlMs: 30 });
    const { runId } = await state.createRun(request);
    const second = await eventually(async () => {
      const created = await state.createRun(request);
      return created.deduplicated ? undefined : created;
    });
    expect(second.runId).not.toBe(runId);
  });

  test('many at once answers each for itself', async () => {
    const results = await state.createRuns([
      requestOf(plan, { runId: 'a' }),
      requestOf(plan, { runId: 'b' }),
      requestOf(plan, { runId: 'a', bodyHash: 'other' }),
      requestOf(plan, { runId: 'a' }),
    ]);
    expect(results).toMatchObject([
      { runId: 'a', deduplicated: false },
      { runId: 'b', deduplicated: false },
      { code: 'IDEMPOTENCY_CONFLICT' },
      { runId: 'a', deduplicated: true },
    ]);
  });

  test('stores a definition once, however many runs are pinned to it', async () => {
    await state.createRuns(Array.from({ length: 20 }, (_, index) => requestOf(plan, { runId: `00-${index}` })));
    const key = `${state.tagOf('00-0')}d:${plan.hash}`;
    expect(await connection.client.hget(key, 'runs')).toBe('20');
    expect(JSON.parse((await connection.client.hget(key, 'text'))!)).toEqual(plan.definition);
  });
});

describe('the durability of a start', () => {
  let primary: LocalRedis;
  let replica: LocalRedis | undefined;
  let own: RedisConnection;
  let durable: RedisConnection;
  let durableState: State<PlanShape>;
  beforeAll(async () => {
    primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    own = connectRedis(primary.url, 'commands');
    durable = connectRedis(primary.url, 'commands');
    await Promise.all([untilReady(own, 60_000), untilReady(durable, 5000)]);
    durableState = createTestState(own.client, 'durable', [plan], { durableClient: durable.client });
  });
  afterAll(async () => {
    await Promise.all([closeConnection(own), closeConnection(durable)]);
    await replica?.stop();
    await primary.stop();
  });

  test('is refused, and nothing stored, where this Redis cannot give it', async () => {
    const version = /redis_version:(\d+)\.(\d+)/.exec(await own.client.info('server'))!;
    const hasWaitAof = Number(version[1]) > 7 || (version[1] === '7' && Number(version[2]) >= 2);
    const replicated = durableState.createRun(requestOf(plan, { durability: 'replicated' }));
    await expect(replicated).rejects.toMatchObject({ code: 'DURABILITY_UNSUPPORTED' });
    const fsynced = durableState.createRun(requestOf(plan, { durability: 'fsynced' }));
    if (hasWaitAof) expect(await fsynced).toMatchObject({ durability: 'fsynced' });
    else await expect(fsynced).rejects.toMatchObject({ code: 'DURABILITY_UNSUPPORTED', message: /7\.2/ });
    expect((await durableState.listRuns({ limit: 10 })).runs).toHaveLength(hasWaitAof ? 1 : 0);
  });

  test('is reached with a replica, and said to be when it is not', async () => {
    replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
    await eventually(async () => /connected_slaves:1\b.*state=online/s.test(await own.client.info('replication')), {
      timeoutMs: 10_000,
      message: 'the replica to follow',
    });
    const request = requestOf(plan, { durability: 'replicated', runId: '00-durable' });
    expect(await durableState.createRun(request)).toMatchObject({ runId: '00-durable', durability: 'replicated' });

    replica.pause();
    try {
      const late = requestOf(plan, { durability: 'replicated', runId: '00-late' });
      await expect(durableState.createRun(late)).rejects.toMatchObject({
        code: 'DURABILITY_UNAVAILABLE',
        ambiguous: true,
        message: expect.stringContaining('00-late'),
      });
      // It exists, as the message says; asked again it is found, and confirmed once the replica follows.
      expect(await durableState.readRun('00-late')).toBeDefined();
      replica.resume();
      expect(await durableState.createRun(late)).toMatchObject({ deduplicated: true, durability: 'replicated' });
    } finally {
      replica.resume();
    }
  }, 30_000);

  test('is waited for by many at once together', async () => {
    const machineMs = startStopwatch();
    replica!.pause();
    try {
      const all = Array.from({ length: 20 }, (_, index) =>
        durableState.createRun(requestOf(plan, { durability: 'replicated', runId: `00-many-${index}` })),
      );
      const outcomes = await Promise.all(all.map((each) => each.catch(({ code }: FlotillaError) => code)));
      expect(new Set(outcomes)).toEqual(new Set(['DURABILITY_UNAVAILABLE']));
      // One turn for the first of them and one for the others, of two seconds each; one after the other it would be forty.
      expect(machineMs()).toBeLessThan(7000);
    } finally {
      replica!.resume();
    }
  }, 30_000);

  test('is not said to be reached when another server has answered that knows nothing of the run', async () => {
    const request = requestOf(plan, { durability: 'replicated', runId: '00-lost' });
    replica!.pause();
    const asking = durableState.createRun(request);
    const settled = asking.then(
      () => 'acknowledged',
      (error: FlotillaError) => error.code,
    );
    await eventually(async () => /flags=b .*cmd=wait/.test(String(await own.client.call('CLIENT', 'LIST'))), {
      timeoutMs: 2000,
      intervalMs: 5,
      message: 'the submission to wait for the replica',
    });
    // In the place of the primary comes one without the run, and the replica follows that.
    await primary.kill9();
    for (const name of await readdir(primary.dir)) await rm(join(primary.dir, name), { recursive: true });
    await primary.restart();
    replica!.resume();
    expect(await settled).toBe('DURABILITY_UNAVAILABLE');
    expect(await durableState.readRun('00-lost')).toBeUndefined();
  }, 30_000);

  test('that was to be had is refused for a while when no replica follows', async () => {
    await replica!.stop();
    const request = requestOf(plan, { durability: 'replicated' });
    await eventually(
      async () => {
        const error = await durableState.createRun(request).catch((failure: FlotillaError) => failure);
        return error instanceof FlotillaError && error.code === 'DURABILITY_UNAVAILABLE' && !error.ambiguous;
      },
      { timeoutMs: 15_000, message: 'a refusal to try again later' },
    );
  }, 30_000);
});
