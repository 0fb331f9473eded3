import { fileURLToPath } from 'node:url';
import type { ChannelList, MessageList, RunView } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    ...{ namespace: testNamespace(import.meta.url), schedulers: 2, workers: 1 },
    workerEnv: { FLOTILLA_HANDLERS: fileURLToPath(new URL('./fixtures/talking-handlers.ts', import.meta.url)) },
  });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
});

async function start(steps: object, more: object = {}): Promise<string> {
  return (await fleet.api.start({ definition: { flotilla: 1, name: 'talk', steps, ...more } })).runId;
}

async function end(runId: string): Promise<RunView> {
  await fleet.api.waitForEnd([runId]);
  return fleet.api.run(runId);
}

const post = async (channel: string, message: unknown, more: object = {}) =>
  (
    await fleet.api.request<{ seq: number; code?: string }>('POST', `/v1/channels/${channel}/messages`, {
      message,
      ...more,
    })
  ).body;

describe('channels (G7)', () => {
  test('carry messages between steps of runs that hold no slot, in order', async () => {
    const receiving = await start(
      {
        one: { kind: 'receive', channel: 'news', key: 'k' },
        two: { kind: 'receive', channel: 'news', key: 'k', needs: ['one'] },
      },
      { output: ['${{ steps.one.output }}', '${{ steps.two.output }}'] },
    );
    const sending = await start({
      first: { kind: 'send', channel: 'news', key: 'k', message: { n: 1 } },
      second: { kind: 'send', channel: 'news', key: 'k', message: { n: 2 }, needs: ['first'] },
    });
    expect(await end(sending)).toMatchObject({ status: 'succeeded' });
    expect(await end(receiving)).toMatchObject({ status: 'succeeded', output: [[{ n: 1 }], [{ n: 2 }]] });
  });

  test('take messages from outside, once per id, and show them', async () => {
    expect(await post('outside', 'hello', { dedupeId: 'd' })).toMatchObject({ seq: 1, deduplicated: false });
    expect(await post('outside', 'again', { dedupeId: 'd' })).toMatchObject({ seq: 1, deduplicated: true });
    await post('outside', 'second');
    const { messages } = await fleet.api.get<MessageList>('/v1/channels/outside/messages?after=1');
    expect(messages).toMatchObject([{ seq: 2, body: 'second', by: 'api' }]);
    const { channels } = await fleet.api.get<ChannelList>('/v1/channels');
    expect(channels).toContainEqual(expect.objectContaining({ name: 'outside', depth: 2 }));
    const runId = await start(
      { r: { kind: 'receive', channel: 'outside', count: 5 } },
      { output: '${{ steps.r.output }}' },
    );
    expect(await end(runId)).toMatchObject({ output: ['hello', 'second'] });
  });

  test('of a run are its own', async () => {
    const channels = { mine: { scope: 'run' } };
    const steps = {
      send: { kind: 'send', channel: 'mine', message: '${{ run.id }}' },
      receive: { kind: 'receive', channel: 'mine' },
    };
    const runIds = await Promise.all([
      start(steps, { channels, output: '${{ steps.receive.output[0] }}' }),
      start(steps, { channels, output: '${{ steps.receive.output[0] }}' }),
    ]);
    for (const runId of runIds) expect(await end(runId)).toMatchObject({ output: runId });
  });

  test('that are full make senders wait until there is room', async () => {
    const channels = { small: { maxMessages: 1 } };
    const sending = await start(
      {
        a: { kind: 'send', channel: 'small', message: 1 },
        b: { kind: 'send', channel: 'small', message: 2, needs: ['a'] },
      },
      { channels },
    );
    await eventually(async () => {
      const list = await fleet.api.get<ChannelList>('/v1/channels');
      expect(list.channels).toContainEqual(expect.objectContaining({ name: 'small', waitingSenders: 1 }));
      return true;
    });
    const receiving = await start({ r: { kind: 'receive', channel: 'small' } }, { output: '${{ steps.r.output }}' });
    expect(await end(receiving)).toMatchObject({ output: [1] });
    expect(await end(sending)).toMatchObject({ status: 'succeeded' });
  });

  test('give a message to the next when the step that waits for it is cancelled or has timed out', async () => {
    const cancelled = await start({ r: { kind: 'receive', channel: 'next' } });
    await eventually(async () => (await fleet.api.steps(cancelled))[0]?.wait?.kind === 'receive');
    await fleet.api.post(`/v1/runs/${cancelled}/cancel`);
    const late = await start(
      { r: { kind: 'receive', channel: 'next', timeoutMs: 50, default: ['none'] } },
      { output: '${{ steps.r.output }}' },
    );
    expect(await end(late)).toMatchObject({ output: ['none'] });
    await post('next', 'for the last');
    const runId = await start({ r: { kind: 'receive', channel: 'next' } }, { output: '${{ steps.r.output }}' });
    expect(await end(runId)).toMatchObject({ output: ['for the last'] });
  });

  test('lose and double nothing when a scheduler is killed in the middle of many runs', async () => {
    const steps = { r: { kind: 'receive', channel: 'many' } };
    const receivers = await Promise.all(
      Array.from({ length: 60 }, () => start(steps, { output: '${{ steps.r.output }}' })),
    );
    const sends = Array.from({ length: 60 }, (_, n) => post('many', n, { dedupeId: `m${n}` }));
    await fleet.schedulers[0]?.kill9();
    await Promise.all(sends);
    await fleet.api.waitForEnd(receivers);
    const outputs = await Promise.all(receivers.map(async (runId) => (await fleet.api.run(runId)).output));
    expect(outputs.map((output) => (output as number[])[0]).sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 60 }, (_, n) => n),
    );
  }, 90_000);

  const talk = (channel: string, n: number, more: object = {}) => ({
    kind: 'task',
    use: 'talk',
    input: { channel, n, ...more },
    retry: { maxAttempts: 5, initialMs: 10 },
  });
  /** Some fail at first; too few to be a herd, which would be spread over half a minute. */
  const attemptOf = (n: number) => (n % 3 === 0 ? 2 : 1);
  const messagesOf = async (channel: string, count: number) => {
    const read = async () => (await fleet.api.get<MessageList>(`/v1/channels/${channel}/messages?limit=500`)).messages;
    await eventually(async () => (await read()).length >= count);
    return (await read()).map(({ seq, key, body, by }) => ({ seq, key, by, ...(body as object) }));
  };

  test('carry what a handler sends once its attempt has committed, and nothing of those that failed', async () => {
    const runId = await start({ a: talk('said', 1, { succeedsAt: 3 }) });
    expect(await end(runId)).toMatchObject({ status: 'succeeded' });
    expect(await messagesOf('said', 2)).toEqual([
      { seq: 1, key: '1', by: `${runId}/a`, n: 1, part: 1, attempt: 3 },
      { seq: 2, key: '1', by: `${runId}/a`, n: 1, part: 2, attempt: 3 },
    ]);
    const failed = await start({ a: talk('unsaid', 1, { succeedsAt: 9 }) });
    expect(await end(failed)).toMatchObject({ status: 'failed' });
    await end(await start({ a: talk('unsaid', 2) }));
    expect((await messagesOf('unsaid', 2)).map(({ key }) => key)).toEqual(['2', '2']);
  });

  test('carry what handlers send once and in order although workers and a scheduler are killed meanwhile', async () => {
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    const victims = [fleet.workers[0], fleet.schedulers[0]];
    await fleet.addScheduler();
    await fleet.addWorker();
    const runIds = await Promise.all(
      numbers.map((n) => start({ a: talk('shouted', n, { succeedsAt: attemptOf(n), ms: 100 }) })),
    );
    for (const victim of victims) await victim?.kill9();
    for (const runId of runIds) expect(await end(runId)).toMatchObject({ status: 'succeeded' });
    const messages = await messagesOf('shouted', 80);
    expect(messages).toHaveLength(80);
    for (const n of numbers) {
      const parts = messages.filter(({ key }) => key === String(n));
      expect(parts).toMatchObject([
        { seq: 1, part: 1 },
        { seq: 2, part: 2 },
      ]);
    }
  }, 120_000);

  test('are consumed as often as the attempts that received from them have committed: once, whoever is killed', async () => {
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    const victims = [fleet.workers[0], fleet.schedulers[0]];
    await fleet.addScheduler();
    await fleet.addWorker();
    for (const n of numbers) await post('heard', n, { key: String(n % 7) });
    const listen = (n: number) => ({
      ...{ kind: 'task', use: 'listen', input: { channel: 'heard', succeedsAt: attemptOf(n), ms: 100 } },
      retry: { maxAttempts: 5, initialMs: 10 },
    });
    const output = '${{ steps.a.output }}';
    const runIds = await Promise.all(numbers.map((n) => start({ a: listen(n) }, { output })));
    for (const victim of victims) await victim?.kill9();
    const outputs = [];
    for (const runId of runIds) outputs.push(...((await end(runId)).output as number[]));
    expect(outputs.sort((a, b) => a - b)).toEqual(numbers);
    await eventually(async () => {
      const { channels } = await fleet.api.get<ChannelList>('/v1/channels');
      return channels.find(({ name }) => name === 'heard')?.depth === 0;
    });
  }, 120_000);
});
