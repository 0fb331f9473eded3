import type { Json } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { type AttemptAddress, State, stateKey } from '@flotilla/state';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { StepCheckpoints, type StepCheckpointsOptions } from './step-checkpoints.ts';

const KEY = 'a key of more than thirty-two characters';

let connection: RedisConnection;
let state: State<Plan>;
let address: AttemptAddress;
let run: string;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
afterAll(() => closeConnection(connection));
beforeEach(() => begin([]));

/** A run with one step, of which one attempt is under way. */
async function begin(checkpointKeys: readonly string[]): Promise<void> {
  state = new State<Plan>({
    client: connection.client,
    namespace: testNamespace(import.meta.url),
    partitions: 1,
    compile: (text) => compile(JSON.parse(text)),
    checkpointKeys,
  });
  const plan = compile({ flotilla: 1, name: 'saved', steps: { a: { kind: 'task', use: 'work' } } });
  const { runId } = await state.createRun({ plan, inputJson: '{}', bodyHash: 'body', tags: [], durability: 'fast' });
  const at = { tag: state.tags[0]!, runId, key: '0' };
  const reply = await state.transitions.claim({
    ...at,
    ...{ attemptId: 'one', worker: 'w-1', group: 0, any: false, initial: 0, attemptMs: 60_000 },
    ...{ wantsInput: false, hasQueuedTimer: false, sources: [] },
  });
  if ('refused' in reply) throw new Error(reply.refused);
  const { fence, createdAt } = reply.claimed;
  address = { ...at, fence, createdAt, attemptId: 'one' };
  run = stateKey(at.tag, 'run', runId);
}

function compile(document: unknown): Plan {
  const compiled = compileWorkflow(document);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

function open(onCorrupt: StepCheckpointsOptions['onCorrupt'] = 'fail', by = address): StepCheckpoints {
  const superseded = () => new Error('superseded');
  return new StepCheckpoints({
    state,
    address: by,
    stepId: 'a',
    onCorrupt,
    limits: undefined,
    now: () => 5,
    superseded,
  });
}

async function saved(...states: Json[]): Promise<void> {
  const checkpoints = open();
  for (const one of states) await checkpoints.save(one);
}

const { hset, hget } = {
  hset: (field: string, value: string) => connection.client.hset(run, field, value),
  hget: async (field: string) => (await connection.client.hget(run, field))!,
};

async function change(field: string, from: string | RegExp, to: string): Promise<void> {
  const before = await hget(field);
  const after = before.replace(from, to);
  if (after === before) throw new Error(`nothing to change in ${field}: ${before}`);
  await hset(field, after);
}

async function corruptEvents(): Promise<Record<string, Json>[]> {
  const { events } = await state.readHistory(address.runId, { after: -1, limit: 100 });
  return events.flatMap(({ type, data }) => (type === 'checkpoint-corrupt' ? [data ?? {}] : []));
}

/** Ways to damage the newest of three saved states (`{"page":3}`, kept at place 0). */
const DAMAGES: Record<string, () => Promise<unknown>> = {
  'a flipped bit': () => change('k0~0', '"page":3', '"page":2'),
  truncation: () => change('k0~0', '}', ''),
  'its removal': () => connection.client.hdel(run, 'k0~0'),
  'no checksum': () => change('k0~0', /\|3\|[^|]*\|/, '|3||'),
  'an older one in its place': async () => hset('k0~0', await hget('k0~2')),
  'an older one under its number': async () => hset('k0~0', (await hget('k0~2')).replace(/^(\d+)\|2\|/, '$1|3|')),
  'one of another step': async () => {
    const envelope = { kind: 'progress', runId: address.runId, stepId: 'b', seq: 3, fence: address.fence } as const;
    const checksum = state.seal.checksumOf({ ...envelope, stateJson: '{"page":9}', ts: 5, previous: '' });
    await hset('k0~0', `${5 - address.createdAt}|3|${checksum}||${address.fence - address.createdAt}\n{"page":9}`);
    await hset('k0', `3|${checksum}`);
  },
  'another newest': () => hset('k0', '2|other'),
};

describe.each([
  ['alone', []],
  ['signed', [KEY]],
])('G12 progress, %s, with', (_what, keys: string[]) => {
  beforeEach(async () => {
    await begin(keys);
    await saved({ page: 1 }, { page: 2 }, { page: 3 });
  });

  test.each(Object.entries(DAMAGES))(
    '%s is not used: it is refused, or set aside for the last good one',
    async (_damage, make) => {
      await make();
      await expect(open('fail').load()).rejects.toMatchObject({ code: 'DATA_CORRUPTION' });
      expect(await corruptEvents()).toHaveLength(1);

      const checkpoints = open('fall-back');
      const found = await checkpoints.load();
      expect([{ page: 1 }, { page: 2 }]).toContainEqual(found);
      expect((await corruptEvents())[1]).toMatchObject({ code: 'DATA_CORRUPTION', usedInstead: checkpoints.seq });
      // It goes on from there: whoever comes next finds what was saved then.
      await checkpoints.save({ page: 'next' });
      expect(await open('fail').load()).toEqual({ page: 'next' });
      expect(await corruptEvents()).toHaveLength(2);
    },
  );

  test('damage to all that is kept is refused, or begins anew where the step allows that', async () => {
    for (const place of [0, 1, 2]) await change(`k0~${place}`, '"page"', '"pago"');
    await expect(open('fall-back').load()).rejects.toMatchObject({ code: 'DATA_CORRUPTION' });
    expect(await open('restart').load()).toBeUndefined();
    expect(await corruptEvents()).toMatchObject([{}, { usedInstead: 0 }]);
    await saved({ page: 'first' });
    expect(await open().load()).toEqual({ page: 'first' });
  });
});

describe('progress that is signed', () => {
  beforeEach(() => begin([KEY]));

  test('cannot be forged without the key: a good checksum is not a signature', async () => {
    await saved({ page: 1 });
    const plain = new State<Plan>({
      ...{ client: connection.client, namespace: state.namespace, partitions: 1 },
      compile: (text) => compile(JSON.parse(text)),
    });
    const envelope = { kind: 'progress', runId: address.runId, stepId: 'a', seq: 1, fence: address.fence } as const;
    const checksum = plain.seal.checksumOf({ ...envelope, stateJson: '{"page":9}', ts: 5, previous: '' });
    await hset('k0~1', `${5 - address.createdAt}|1|${checksum}||${address.fence - address.createdAt}\n{"page":9}`);
    await hset('k0', `1|${checksum}`);
    await expect(open().load()).rejects.toMatchObject({ message: expect.stringContaining('is not signed') });
  });
});

describe('progress that was set aside', () => {
  test('stays listed, and is not used', async () => {
    await saved({ page: 1 }, { page: 2 });
    await change('k0~2', '"page":2', '"page":7');
    expect(await open('fall-back').load()).toEqual({ page: 1 });
    const { checkpoints } = await state.listCheckpoints(address.runId, { limit: 1 });
    expect(checkpoints.map(({ kind, seq, verified }) => [kind, seq, verified])).toEqual([
      ['set-aside', 2, false],
      ['progress', 1, true],
    ]);
  });
});

describe('progress', () => {
  test('is saved in order, without a gap, when a handler does not wait', async () => {
    const checkpoints = open();
    await Promise.all([1, 2, 3, 4].map((page) => checkpoints.save({ page })));
    expect([checkpoints.seq, await open().load()]).toEqual([4, { page: 4 }]);
  });

  test('is not saved by an attempt that another has taken over from', async () => {
    await expect(open('fail', { ...address, attemptId: 'other' }).save({ page: 1 })).rejects.toThrow('superseded');
  });

  test('of no earlier attempt is nothing', async () => {
    expect(await open().load()).toBeUndefined();
  });
});
