import type { Channels } from '@flotilla/channels';
import type { WorkflowDefinition } from '@flotilla/contracts';
import { countedEdges, type Plan } from '@flotilla/engine';
import {
  type ChannelWork,
  type CommitArguments,
  type OutboxEntry,
  type OutgoingMessage,
  parseOutboxLine,
  stateKey,
} from '@flotilla/state';
import { testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LoopWorld } from '../../loops/testing/loop-world.ts';
import { carryOutChannelWork } from './carry-out-channel-work.ts';

let world: LoopWorld;
let channels: Channels;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
  channels = world.createChannels();
});
afterEach(() => world.close());

type Sending = Extract<OutboxEntry, { what: 'channel-work' }>;

const steps: WorkflowDefinition['steps'] = {
  a: { kind: 'task', use: 'work' },
  b: { kind: 'task', use: 'work', needs: ['a'] },
};

/** What a worker hands over when its attempt, which has sent these, commits. */
async function attemptThatSends(
  plan: Plan,
  runId: string,
  sent: OutgoingMessage[],
  taken: ChannelWork['taken'] = [],
): Promise<CommitArguments> {
  const { fence, createdAt, claimedAt } = await world.claim(runId, plan, '0', 'attempt-1');
  return {
    ...{ tag: world.tag, runId, key: '0', fence, createdAt, attemptId: 'attempt-1', worker: 'worker-1' },
    outputJson: '{"text":"a|b"}',
    checkpoint: { ts: claimedAt, seq: 1, checksum: 'c', previous: '' },
    ...{ hasTotalTimer: false, endStep: false, wantsInput: false, sources: [] },
    edges: countedEdges(plan, 0, 'succeeded'),
    channels: { ownChannels: [], workJson: JSON.stringify({ sent, taken }) },
  };
}

const to = (channel: string, n: number, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  channel,
  key: 'k',
  bodyJson: JSON.stringify({ n }),
  ...more,
});

/** Entries of the outbox that ask for messages to be sent. */
async function asked(): Promise<Sending[]> {
  const entries = await world.client.xrange(stateKey(world.tag, 'outbox'), '-', '+');
  return entries
    .flatMap(([, fields]) => (fields[1] ?? '').split('\n'))
    .map(parseOutboxLine)
    .filter((entry): entry is Sending => entry?.what === 'channel-work');
}

const bodies = async (channel: string) => (await channels.read(channel, {})).map(({ seq, body }) => ({ seq, body }));
const numbered = (...numbers: number[]) => numbers.map((n, index) => ({ seq: index + 1, body: { n } }));

class Died extends Error {}

/** Calls of Redis commands until a process dies: before the one with this number, or right after it. */
class Lifetime {
  #left: number;
  readonly #after: boolean;

  constructor(commands: number, after: boolean) {
    this.#left = commands;
    this.#after = after;
  }

  over<T extends object>(object: T): T {
    return new Proxy(object, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => this.#call(() => value.apply(of, args) as unknown);
      },
    });
  }

  async #call(act: () => unknown): Promise<unknown> {
    this.#left -= 1;
    if (this.#left === 0 && !this.#after) throw new Died();
    const result = await act();
    if (this.#left === 0) throw new Died();
    return result;
  }
}

describe('messages of a committed attempt (G7)', () => {
  test('are asked for by its commit, once however often that is repeated, and its output is stored without them', async () => {
    const { runId, plan } = await world.start(steps);
    const commit = await attemptThatSends(plan, runId, [to('news', 1)]);
    expect(await asked()).toEqual([]);
    expect(await world.state.transitions.commit(commit)).toMatchObject({ outcome: 'committed' });
    expect(await world.state.transitions.commit(commit)).toMatchObject({ outcome: 'committed' });
    const [entry, ...more] = await asked();
    expect([entry, more]).toMatchObject([{ runId, key: '0' }, []]);
    const stored = await world.client.hget(stateKey(world.tag, 'run', runId), 'o0');
    expect(stored).toBe('{"text":"a|b"}');
  });

  test('of an attempt whose commit is refused are nowhere', async () => {
    const { runId, plan } = await world.start(steps);
    const commit = await attemptThatSends(plan, runId, [to('news', 1)]);
    await world.failAttempt(runId, '0', commit.attemptId, commit.fence, commit.createdAt, 60_000);
    expect(await world.state.transitions.commit(commit)).toMatchObject({ outcome: 'rejected' });
    expect(await asked()).toEqual([]);
    const fields = await world.client.hkeys(stateKey(world.tag, 'run', runId));
    expect(fields.filter((field) => field.startsWith('Ws'))).toEqual([]);
  });

  test.each([
    ['before', false],
    ['after', true],
  ] as const)('are in their channels once and in order when a scheduler dies %s any command', async (when, after) => {
    for (let command = 1; ; command += 1) {
      const channel = `${when}-${command}`;
      const { runId, plan } = await world.start(steps);
      const source = `${channel}-source`;
      for (const body of [1, 2]) await channels.send({ channel: source, body, by: 'test' });
      const { assignment } = (await channels.take(source, { runId, key: '0', fence: '0' }, { count: 1 })) ?? {};
      const messages = [to(channel, 1), to(channel, 2), to(channel, 3)];
      const taken = [{ channel: source, assignment: assignment ?? '' }];
      await world.state.transitions.commit(await attemptThatSends(plan, runId, messages, taken));
      const entry = (await asked()).find((each) => each.runId === runId);
      if (entry === undefined) throw new Error('nothing was asked for');
      const lifetime = new Lifetime(command, after);
      const dying = { state: world.state, channels: lifetime.over(channels) };
      const [end] = await Promise.allSettled([carryOutChannelWork(dying, plan, entry)]);
      if (end.status === 'rejected' && !(end.reason instanceof Died)) throw end.reason;
      await carryOutChannelWork({ state: world.state, channels }, plan, entry);
      await carryOutChannelWork({ state: world.state, channels }, plan, entry);
      expect(await bodies(channel)).toEqual(numbered(1, 2, 3));
      expect(await channels.look(source)).toMatchObject({ depth: 1, sent: 2 });
      expect(await world.state.run(runId).readChannelWork(entry.key, entry.fence)).toBeUndefined();
      if (end.status === 'fulfilled') {
        expect(command).toBe(5);
        break;
      }
    }
  });

  test('are sent by two schedulers at once as by one', async () => {
    const { runId, plan } = await world.start(steps);
    const messages = Array.from({ length: 20 }, (_, n) => to('both', n));
    await world.state.transitions.commit(await attemptThatSends(plan, runId, messages));
    const [entry] = await asked();
    if (entry === undefined) throw new Error('nothing was asked for');
    const dependencies = { state: world.state, channels };
    await Promise.all([carryOutChannelWork(dependencies, plan, entry), carryOutChannelWork(dependencies, plan, entry)]);
    expect(await bodies('both')).toEqual(numbered(...messages.keys()));
  });

  test('stand in line in order where their channel is full, and none is lost', async () => {
    const { runId, plan } = await world.start(steps);
    const messages = [1, 2, 3].map((n) => to('small', n, { maxMessages: 1 }));
    await world.state.transitions.commit(await attemptThatSends(plan, runId, messages));
    const [entry] = await asked();
    if (entry === undefined) throw new Error('nothing was asked for');
    await carryOutChannelWork({ state: world.state, channels }, plan, entry);
    expect(await channels.look('small')).toMatchObject({ depth: 1, waitingSenders: 2 });
    const taken: unknown[] = [];
    for (let n = 0; n < 3; n += 1) {
      await channels.receive('small', { runId: 'other', key: String(n) }, { count: 1 });
      for (const delivery of await channels.deliver('small')) {
        if (delivery.kind === 'admit') await channels.confirm('small', delivery.step);
        else {
          taken.push(...delivery.messages.map(({ body }) => body));
          await channels.acknowledge('small', delivery.assignment);
        }
      }
      for (const delivery of await channels.deliver('small')) {
        if (delivery.kind === 'admit') await channels.confirm('small', delivery.step);
      }
    }
    expect(taken).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await channels.look('small')).toMatchObject({ depth: 0, waitingSenders: 0, sent: 3 });
  });
});
