import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { stateKey } from '@flotilla/state';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperty } from '../model/seeded-property.ts';
import { keyOf, Partition, plan } from './partition.ts';
import { MOVES } from './transition-moves.ts';

/** A run whose stored fields somebody has overwritten harms no other run, whatever it is asked. */

let connection: RedisConnection;
let partition: Partition;
let count = 0;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  partition = new Partition(connection.client, testNamespace(import.meta.url));
});
afterAll(() => closeConnection(connection));

type Damage = { what: 'field'; field: string; value: string } | { what: 'removed'; field: string } | { what: Kind };
type Kind = 'run-is-text' | 'history-is-text' | 'paused-is-text' | 'run-is-gone';

const first = keyOf('first');
const items = keyOf('items');
const FIELDS = [
  'm',
  'd',
  'i',
  'n',
  'x',
  'f',
  't',
  'b',
  `s${first}`,
  `s${items}`,
  `s${items}.0`,
  `c${first}`,
  `k${first}`,
];
const VALUES = [
  ...['', '|', 'garbage', '|||||||||||||||||', '\u0000', '🚀', 'R', 'R|', 'S|', 'M|', 'Y|', 'D|x', 'r|damaged'],
  ...['r|1|x|1|0|0', 'r|1|1|1|0|0', 'r|-1|-1|-1|0|0', 'q|1|0|1|0|0', 'e|1|1|1|0|0', 'S|1|0|0|0|0', 'NaN', '1e999'],
  ...['R|x|x|x|x|x|x|x|x|x', 'M|x|x|x|x|x|x|x', 'M|2|9|9|9|9|9|9', 'B|1|1|x|a|w|1|1|1|x', '{', 'x'.repeat(5000)],
];
const damage: fc.Arbitrary<Damage> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ what: fc.constant('field' as const), ...anyField(), value: fc.constantFrom(...VALUES) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('removed' as const), ...anyField() }) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom<Kind[]>('run-is-text', 'history-is-text', 'paused-is-text', 'run-is-gone')
      .map((what) => ({ what })),
  },
);

function anyField() {
  const groups = plan.groups.map(({ index }) => `g${index}`);
  return { field: fc.constantFrom(...FIELDS, ...groups) };
}

async function inflict(given: Damage, runId: string): Promise<void> {
  const { client } = partition;
  const key = partition.runKey(runId);
  const becomeText = async (name: string) => void (await client.set(name, 'not what it was'));
  switch (given.what) {
    case 'field':
      return void (await client.hset(key, given.field, given.value));
    case 'removed':
      return void (await client.hdel(key, given.field));
    case 'run-is-text':
      return becomeText(key);
    case 'history-is-text':
      return becomeText(partition.historyKey(runId));
    case 'paused-is-text':
      return becomeText(stateKey(partition.tag, 'paused', runId));
    case 'run-is-gone':
      return void (await client.del(key));
  }
}

const moveNames = fc.constantFrom(...Object.keys(MOVES));

describe('a group of transitions', () => {
  test('with damaged runs among its runs does for the others what it would do without them', async () => {
    const example = fc.record({
      good: fc.array(moveNames, { minLength: 1, maxLength: 5 }),
      bad: fc.array(fc.record({ move: moveNames, damage }), { minLength: 1, maxLength: 2 }),
    });
    await checkProperty(
      example,
      async ({ good, bad }) => {
        await partition.clear();
        const all = [
          ...bad.map((each) => ({ ...each, runId: `bad-${count++}` })),
          ...good.map((move) => ({ move, damage: undefined, runId: `good-${count++}` })),
        ];
        const prepared = await Promise.all(
          all.map(async ({ move, damage: given, runId }) => {
            await partition.createRun(runId);
            const attempt = await MOVES[move]!.arrange(partition, runId);
            if (given !== undefined) await inflict(given, runId);
            return attempt;
          }),
        );
        const before = await Promise.all(all.map(({ runId }) => partition.dumpOf(runId)));
        const replies = await Promise.allSettled(
          all.map(({ move, runId }, index) => MOVES[move]!.make(partition, runId, prepared[index]!)),
        );
        for (const [index, { move, damage: given, runId }] of all.entries()) {
          const reply = replies[index]!;
          if (given === undefined) {
            const { answer } = MOVES[move]!;
            expect(reply).toMatchObject({ status: 'fulfilled', ...(answer === undefined ? {} : { value: answer }) });
            expect(await partition.problemsOf(runId)).toEqual([]);
          } else if (reply.status === 'rejected' && move !== 'start a map') {
            // An error, and nothing of it stays. (A map's items are staged before it starts.)
            const left = (await partition.dumpOf(runId)).filter(
              (line) => move !== 'set timers' || !line.startsWith('out'),
            );
            expect({ move, given, left }).toEqual({ move, given, left: before[index] });
          }
        }
      },
      { numRuns: 400, timeLimitMs: 6000 },
    );
  }, 90_000);
});

/** Where a scheduler looks at all runs of a partition: the damaged ones stand before the others. */
const WAITS = {
  'backing off': 'fail, to be tried again',
  parked: 'park',
  'parked by its attempt': 'park an attempt',
  delayed: 'start a delay',
  'at work': 'claim',
  'in a chain': 'commit and go on',
} as const;
type Wait = keyof typeof WAITS;
const waits = fc.constantFrom(...(Object.keys(WAITS) as Wait[]));
const RECLAIM = { limit: 32, pauseMs: 1e12, suspensionMs: 0, crashLimit: 9 };

describe('what falls due', () => {
  test('in damaged runs keeps no other run waiting', async () => {
    const example = fc.record({
      good: fc.array(waits, { minLength: 1, maxLength: 4 }),
      bad: fc.array(fc.record({ wait: waits, damage }), { minLength: 1, maxLength: 3 }),
    });
    await checkProperty(
      example,
      async ({ good, bad }) => {
        await partition.clear();
        const all = [
          ...bad.map((each) => ({ ...each, runId: `bad-${count++}` })),
          ...good.map((wait) => ({ wait, damage: undefined, runId: `good-${count++}` })),
        ];
        for (const { wait, runId } of all) {
          await partition.createRun(runId);
          const { arrange, make } = MOVES[WAITS[wait]]!;
          const attempt = await arrange(partition, runId);
          await make(partition, runId, attempt!);
        }
        await Promise.all(all.map(({ damage: given, runId }) => given && inflict(given, runId)));
        const handled = await makeEverythingDue();
        for (const { wait, runId, damage: given } of all) {
          if (given !== undefined) continue;
          expect(await partition.problemsOf(runId)).toEqual([]);
          const told = handled.get(runId) ?? [];
          expect({ wait, told }).toEqual({ wait, told: [TOLD[wait]] });
        }
        // Whatever cannot be handled has been put off: it does not stand before the others for ever.
        const scores = await Promise.all(
          (['due', 'lease'] as const).map((set) =>
            connection.client.zcount(stateKey(partition.tag, set), '-inf', 1000),
          ),
        );
        expect(scores).toEqual([0, 0]);
      },
      { numRuns: 300, timeLimitMs: 5000 },
    );
  }, 90_000);
});

const TOLD: Record<Wait, string> = {
  'backing off': 'ready',
  parked: 'ready',
  'parked by its attempt': 'ready',
  delayed: 'd',
  'at work': 'ready',
  'in a chain': 'ready',
};

/** Lets all timers and leases run out, damaged runs first, and tells what became of each run. */
async function makeEverythingDue(): Promise<Map<string, string[]>> {
  const { client, tag, state } = partition;
  const order = (entry: string) => (entry.includes('bad-') ? 1 : 2);
  await client.del(stateKey(tag, 'workers'), stateKey(tag, 'outbox'));
  for (const set of ['due', 'lease'] as const) {
    for (const entry of await partition.entriesOf(set)) await client.zadd(stateKey(tag, set), order(entry), entry);
  }
  await client.hset(stateKey(tag, 'reclaim'), 'last', 1);
  const [due, lost] = await Promise.all([state.transitions.takeDue(tag, 32), state.transitions.reclaim(tag, RECLAIM)]);
  expect(lost.suspended).toBe(false);
  const told = new Map<string, string[]>();
  const tell = (runId: string, what: string) => told.set(runId, [...(told.get(runId) ?? []), what]);
  for (const { runId, letter } of due.taken) tell(runId, letter);
  for (const { runId, why } of lost.undecided) tell(runId, why);
  for (const line of await partition.outbox()) tell(line.split('|')[1]!, line.startsWith('S|') ? 'ready' : line);
  return told;
}
