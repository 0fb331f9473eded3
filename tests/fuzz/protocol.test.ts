import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { stateKey } from '@flotilla/state';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperty } from '../model/seeded-property.ts';
import { Partition } from './partition.ts';
import { MOVES } from './transition-moves.ts';

/** A worker that says anything at any time: only who holds the attempt changes the step, and every count stays right. */

let connection: RedisConnection;
let partition: Partition;
let count = 0;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  partition = new Partition(connection.client, testNamespace(import.meta.url));
});
afterAll(() => closeConnection(connection));

type Attempt = Parameters<(typeof MOVES)['commit']['make']>[2];

/** What a caller can be wrong about, of an attempt that exists. */
const LIES: Readonly<Record<string, (attempt: Attempt) => Partial<Attempt>>> = {
  'a future fence': ({ fence }) => ({ fence: fence + 1_000_000 }),
  'a past fence': ({ fence }) => ({ fence: fence - 1 }),
  'a fence that is no number': () => ({ fence: Number.NaN }),
  'an endless fence': () => ({ fence: Number.POSITIVE_INFINITY }),
  'a huge fence': () => ({ fence: 1e300 }),
  'a foreign attempt': () => ({ attemptId: 'somebody-else' }),
  'no attempt': () => ({ attemptId: '' }),
  'another step': () => ({ key: '999' }),
  'a step that is none': () => ({ key: 'constructor' }),
  'another item': () => ({ key: '1.77' }),
};
/** Moves of the one who holds an attempt. */
const HOLDERS = [
  'commit',
  'commit and go on',
  'fail, to be tried again',
  'fail for good',
  'release',
  'park an attempt',
  'save progress',
];
const ANYBODY = ['pause', 'park', 'recheck', 'skip', 'start a delay', 'start a map', 'claim', 'resume', 'cancel'];

const refusal = (reply: unknown) =>
  reply === false ||
  (typeof reply === 'object' && reply !== null && 'outcome' in reply && reply.outcome === 'rejected');

describe('an attempt', () => {
  test('is changed by nobody who is wrong about its fence, its id or its step', async () => {
    const example = fc.record({
      move: fc.constantFrom(...HOLDERS),
      lies: fc.array(fc.constantFrom(...Object.keys(LIES)), { minLength: 1, maxLength: 3 }),
    });
    await checkProperty(
      example,
      async ({ move, lies }) => {
        await partition.clear();
        const runId = `run-${count++}`;
        await partition.createRun(runId);
        const { arrange, make, answer } = MOVES[move]!;
        const attempt = (await arrange(partition, runId))!;
        const before = await fieldsOf(runId);
        for (const lie of lies) {
          const reply = await make(partition, runId, { ...attempt, ...LIES[lie]!(attempt) });
          expect({ lie, refused: refusal(reply) }).toEqual({ lie, refused: true });
        }
        expect(await fieldsOf(runId)).toEqual(before);
        expect(await partition.problemsOf(runId)).toEqual([]);
        // The one who holds it is not disturbed.
        const held = { reply: await make(partition, runId, attempt) };
        expect(held).toMatchObject({ reply: answer });
      },
      { numRuns: 200, timeLimitMs: 4000 },
    );
  }, 90_000);

  test('that is asked for out of order and again ends once, and all counts agree', async () => {
    const moves = fc.array(fc.constantFrom(...HOLDERS, ...ANYBODY), { minLength: 2, maxLength: 8 });
    await checkProperty(
      moves,
      async (names) => {
        await partition.clear();
        const runId = `run-${count++}`;
        await partition.createRun(runId);
        const attempt = (await MOVES['commit']!.arrange(partition, runId))!;
        for (const name of names) {
          // Refused with an error where the run has ended: that is an answer.
          await MOVES[name]!.make(partition, runId, attempt).catch((error: { code?: unknown }) =>
            expect(error.code).toBe('RUN_NOT_ACTIVE'),
          );
        }
        expect(await partition.problemsOf(runId)).toEqual([]);
        const { events } = await partition.state.readHistory(runId, { after: -1, limit: 100 });
        const of = (...types: string[]) =>
          events.filter(({ type, stepId }) => types.includes(type) && stepId === 'first');
        expect(of('step-succeeded', 'step-failed').length).toBeLessThanOrEqual(1);
        const ends = of('attempt-succeeded', 'attempt-failed', 'attempt-cancelled').length;
        expect(of('attempt-started').length - ends).toBeGreaterThanOrEqual(0);
      },
      { numRuns: 250, timeLimitMs: 4000 },
    );
  }, 90_000);
});

describe('a renewal', () => {
  test('of a worker that nobody knows, with any name and time, keeps no attempt of others alive', async () => {
    const name = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('', '|', '{x}', '\r\n', 'x'.repeat(1000)));
    await checkProperty(
      fc.record({ names: fc.array(name, { minLength: 1, maxLength: 5 }), since: fc.constantFrom(0, -1, 1e15) }),
      async ({ names, since }) => {
        await partition.clear();
        const runId = `run-${count++}`;
        await partition.createRun(runId);
        await MOVES['commit']!.arrange(partition, runId);
        const { state, tag, client } = partition;
        await Promise.all(names.map((worker) => state.transitions.renew(tag, worker, since)));
        await client.zadd(stateKey(tag, 'lease'), 1, ...(await partition.entriesOf('lease')).slice(0, 1));
        await client.hset(stateKey(tag, 'reclaim'), 'last', Number.MAX_SAFE_INTEGER);
        const { lost } = await state.transitions.reclaim(tag, {
          limit: 9,
          pauseMs: 1e12,
          suspensionMs: 0,
          crashLimit: 9,
        });
        expect(lost).toBe(1);
        expect(await partition.problemsOf(runId)).toEqual([]);
      },
      { numRuns: 150, timeLimitMs: 2500 },
    );
  }, 90_000);
});

const fieldsOf = (runId: string) => connection.client.hgetall(partition.runKey(runId));
