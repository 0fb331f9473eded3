import { closeConnection, connectRedis, type RedisClient, type RedisConnection, untilReady } from '@flotilla/redis';
import { eventually, type LocalRedis, startRedis, testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { partitionTag, stateKey } from './keys.ts';
import { shapeOf } from './testing/plan-shapes.ts';
import { createTestState, requestOf, TestWorker } from './testing/state-for-tests.ts';
import { TransitionBatch } from './transition-batch.ts';

const namespace = testNamespace(import.meta.url);
const tag = partitionTag(namespace, 0);

interface SentCall {
  sha1: string;
  /** Names of the transitions in it; of a call that is not of claims and commits. */
  names: string[];
  /** All that is said of the transitions. */
  transitions: string[];
  /** Answers the call: each transition is told its own name. */
  answer: (replies?: string[][]) => void;
  refuse: (error: Error) => void;
}

/** A client that answers when the test says so. */
function createHeldClient(): { client: RedisClient; sent: SentCall[] } {
  const sent: SentCall[] = [];
  const client = {
    isCluster: false,
    sendCommand({ args }: { args: (string | number)[] }): Promise<unknown> {
      const [sha1, , , , , ...transitions] = args;
      const names: string[] = [];
      for (let at = 0; at < transitions.length; at += 3 + Number(transitions[at + 2]))
        names.push(String(transitions[at]));
      return new Promise((resolve, reject) => {
        const answer = (replies = names.map((name) => [name])) => resolve(replies);
        sent.push({ sha1: String(sha1), names, transitions: transitions.map(String), answer, refuse: reject });
      });
    },
  };
  return { client: client as unknown as RedisClient, sent };
}

/** A call holds Redis for well under a millisecond. */
const MOST_IN_A_CALL = 64;
const options = { namespace, kind: 'progress', deadlineMs: 5000 } as const;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a batch of transitions', () => {
  test('sends what is asked for in one moment as one call, and tells each asker its own answer', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client });
    const replies = Promise.all(['one', 'two', 'three'].map((name) => batch.apply(tag, name, ['x'])));
    await turn();
    expect(sent.map(({ names }) => names)).toEqual([['one', 'two', 'three']]);
    sent[0]!.answer();
    expect(await replies).toEqual([['one'], ['two'], ['three']]);
  });

  test('has two calls under way, gathers meanwhile, and keeps calls short', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client });
    const replies: Promise<unknown>[] = [];
    const ask = (count: number) => {
      for (let index = 0; index < count; index += 1) replies.push(batch.apply(tag, `t${replies.length}`, []));
    };
    ask(1);
    await turn();
    ask(2);
    await turn();
    ask(100);
    await turn();
    await turn();
    expect(sent.map(({ names }) => names.length)).toEqual([1, 2]);
    sent[1]!.answer();
    await eventually(() => sent.length === 3);
    expect(sent[2]!.names.length).toBeGreaterThan(10);
    // One comes back, one goes out.
    for (let answered = 2; sent.flatMap(({ names }) => names).length < 103; answered += 1) {
      const before = sent.length;
      sent[answered]!.answer();
      await eventually(() => sent.length > before);
      expect(sent).toHaveLength(before + 1);
    }
    for (const { names, answer } of sent) {
      expect(names.length).toBeLessThanOrEqual(MOST_IN_A_CALL);
      answer();
    }
    await Promise.all(replies);
    // Asked in order, sent in order.
    expect(sent.flatMap(({ names }) => names)).toEqual(replies.map((_, index) => `t${index}`));
  });

  test('sends claims and commits together and to a script of their own', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client });
    const replies = Promise.all([
      batch.applyHot(tag, 'claim', [], []),
      batch.apply(tag, 'fail', []),
      batch.applyHot(tag, 'commit', [], []),
    ]);
    await eventually(() => sent.length === 2);
    expect(sent[0]!.sha1).not.toBe(sent[1]!.sha1);
    expect(sent.map(({ transitions }) => transitions)).toEqual([
      ['claim', tag, '1', 'commit', tag, '1'],
      ['fail', tag, '0'],
    ]);
    sent[0]!.answer([['claimed'], ['committed']]);
    sent[1]!.answer([['failed']]);
    expect(await replies).toEqual([['claimed'], ['failed'], ['committed']]);
  });

  test('sends what claims and commits share once for those that stand together', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client });
    const replies = Promise.all([
      batch.applyHot(tag, 'claim', ['run-1', 'worker'], ['1', 'a']),
      batch.applyHot(tag, 'claim', ['run-1', 'worker'], ['2', 'b']),
      batch.applyHot(tag, 'claim', ['run-2', 'worker'], ['1', 'c']),
      batch.applyHot(tag, 'commit', ['run-2', 'worker'], ['1', 'd']),
    ]);
    await eventually(() => sent.length === 1);
    expect(sent[0]!.transitions).toEqual([
      ...['claim', tag, '2', 'run-1', 'worker', '1', 'a', '2', 'b'],
      ...['claim', tag, '1', 'run-2', 'worker', '1', 'c'],
      ...['commit', tag, '1', 'run-2', 'worker', '1', 'd'],
    ]);
    sent[0]!.answer([['one'], ['two'], ['three'], ['four']]);
    expect(await replies).toEqual([['one'], ['two'], ['three'], ['four']]);
  });

  test('tells an error of the script to the transition that made it, and to no other', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client });
    const replies = Promise.allSettled([batch.apply(tag, 'good', []), batch.apply(tag, 'bad', [])]);
    await turn();
    sent[0]!.answer([['ok'], ['error', 'WRONGTYPE']]);
    expect(await replies).toEqual([
      { status: 'fulfilled', value: ['ok'] },
      { status: 'rejected', reason: expect.objectContaining({ code: 'INTERNAL' }) },
    ]);
  });

  test('repeats a call whose answer was lost, whole', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client });
    const replies = Promise.all([batch.apply(tag, 'one', []), batch.apply(tag, 'two', [])]);
    await turn();
    sent[0]!.refuse(new Error('Connection is closed.'));
    await eventually(() => sent.length === 2);
    expect(sent[1]!.names).toEqual(['one', 'two']);
    sent[1]!.answer();
    expect(await replies).toEqual([['one'], ['two']]);
  });

  test('gives up after its deadline with REDIS_UNAVAILABLE, and goes on with what is asked later', async () => {
    const { client, sent } = createHeldClient();
    const batch = new TransitionBatch({ ...options, client, deadlineMs: 60 });
    const reply = batch.apply(tag, 'one', []);
    await turn();
    sent[0]!.refuse(new Error('Connection is closed.'));
    await expect(reply).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', ambiguous: true });
    const before = sent.length;
    const later = batch.apply(tag, 'two', []);
    await eventually(() => sent.length > before);
    sent.at(-1)!.answer();
    expect(await later).toEqual(['two']);
  });
});

describe('a batch on a real Redis', () => {
  /** None of these is about its deadline. */
  const patient = { ...options, deadlineMs: 120_000 };
  let server: LocalRedis;
  let connection: RedisConnection;
  beforeAll(async () => {
    server = await startRedis();
    connection = connectRedis(server.url, 'commands');
    await untilReady(connection, 60_000);
  });
  afterAll(async () => {
    await closeConnection(connection);
    await server.stop();
  });

  test('does what the others of a group ask for when one of them is refused or wrong', async () => {
    const batch = new TransitionBatch({ ...patient, client: connection.client });
    const key = stateKey(tag, 'paused', 'broken');
    await connection.client.set(stateKey(tag, 'run', 'broken'), 'not a hash');
    const [before, unknown, wrong, refused, after] = await Promise.allSettled([
      batch.apply(tag, 'renew', ['w1', 0]),
      batch.apply(tag, 'no-such-transition', []),
      batch.apply(tag, 'cancel-run', ['broken', '{}']),
      batch.apply(tag, 'recheck', ['nobody', '0', 1000, '0']),
      batch.apply(tag, 'renew', ['w2', 0]),
    ]);
    expect([before?.status, after?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(unknown).toMatchObject({ reason: { code: 'INTERNAL' } });
    expect(wrong).toMatchObject({ reason: { code: 'INTERNAL', message: expect.stringContaining('WRONGTYPE') } });
    expect(refused).toMatchObject({ value: ['done'] });
    expect(await connection.client.zrange(stateKey(tag, 'workers'), '0', '-1')).toEqual(['w1', 'w2']);
    expect(await connection.client.exists(key)).toBe(0);
  });

  test('reads and writes a run once for all claims of a group', async () => {
    const plan = shapeOf('wide', [{ id: 'first' }]);
    const state = createTestState(connection.client, 'once', [plan]);
    const { runId } = await state.createRun(requestOf(plan));
    const worker = new TestWorker(state, runId);
    await worker.take('0', 'attempt-0');
    await connection.client.config('RESETSTAT');
    const replies = await Promise.all([1, 2, 3, 4, 5, 6].map((step) => worker.claim(String(step), `attempt-${step}`)));
    expect(replies.every((reply) => 'claimed' in reply)).toBe(true);
    const stats = await connection.client.info('commandstats');
    for (const command of ['hmget', 'hset', 'rpush']) expect(stats).toMatch(`cmdstat_${command}:calls=1,`);
  });

  test('keeps no more of what it has taken apart than it may, however many texts come', async () => {
    const batch = new TransitionBatch({ ...patient, client: connection.client });
    const sources = (index: number) => Array.from({ length: 250 }, (_, need) => 100_000 + index * 250 + need).join(',');
    const claim = (index: number) =>
      batch.applyHot(tag, 'claim', [`00-none-${index}`, 'w', '0', '0|a|0|1000|', sources(index)], ['1', `a${index}`]);
    for (let first = 0; first < 4000; first += 200) {
      const replies = await Promise.all(Array.from({ length: 200 }, (_, index) => claim(first + index)));
      expect(new Set(replies.map(([what]) => what))).toEqual(new Set(['refused']));
    }
    const memory = await connection.client.info('memory');
    const bytes = Number(/used_memory_vm_functions:(\d+)/.exec(memory)?.[1]);
    // A million needs, 7 MB of text, were taken apart: kept, their lists alone would fill 50 MB and more.
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(20_000_000);
  });

  test('shares script calls among a thousand askers', async () => {
    const batch = new TransitionBatch({ ...patient, client: connection.client });
    await batch.apply(tag, 'renew', ['w', 0]);
    await connection.client.config('RESETSTAT');
    await Promise.all(Array.from({ length: 1000 }, (_, index) => batch.apply(tag, 'renew', [`many-${index}`, 0])));
    const stats = await connection.client.info('commandstats');
    const calls = Number(/cmdstat_fcall:calls=(\d+)/.exec(stats)?.[1]);
    expect(calls).toBeLessThan(100);
  });

  test('waits through a restart of Redis and loses nothing', async () => {
    const batch = new TransitionBatch({ ...patient, client: connection.client });
    await batch.apply(tag, 'renew', ['before', 0]);
    await server.kill9();
    const replies = Array.from({ length: 100 }, (_, index) => batch.apply(tag, 'renew', [`during-${index}`, 0]));
    await server.restart();
    await within(Promise.all(replies), 20_000, 'transitions that were asked for while Redis was away');
    const workers = await connection.client.zrange(stateKey(tag, 'workers'), '0', '-1');
    expect(workers).toEqual(expect.arrayContaining(['before', 'during-0', 'during-99']));
  }, 40_000);
});
