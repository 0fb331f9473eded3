import type { Json, WorkflowDefinition } from '@flotilla/contracts';
import type { ChannelWork, OutgoingMessage } from '@flotilla/state';
import type { StepContext } from '@flotilla/steps';
import { testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createExecutorWorld, type ExecutorWorld, work } from './testing/executor-world.ts';

let world: ExecutorWorld;
beforeAll(async () => {
  world = await createExecutorWorld(testNamespace(import.meta.url));
});
afterAll(() => world.close());

const news = { channel: 'news', key: '', maxBytes: 8_388_608 };

/** Runs one step; `kept` reads what an attempt of it, told apart by its fence, has left for the channels. */
async function run(handler: (context: StepContext) => Json | Promise<Json>, more: Partial<WorkflowDefinition> = {}) {
  const fences: number[] = [];
  const executor = world.createExecutor((_input, context) => {
    fences.push(context.fence);
    return handler(context);
  });
  const { runId, step } = await world.start({ a: work }, more);
  await executor.runTask({ v: 1, i: [step('a')] });
  const createdAt = await world.state.run(runId).readCreatedAt();
  const kept = async (attempt: number): Promise<OutgoingMessage[] | undefined> => {
    const text = await world.state.run(runId).readChannelWork('0', String((fences[attempt - 1] ?? 0) - createdAt));
    return text === undefined ? undefined : (JSON.parse(text) as ChannelWork).sent;
  };
  const [view] = (await world.state.listSteps(runId, { limit: 1 })).steps;
  return { runId, kept, view };
}

/** What the handler's call was refused with. */
const codeOf = async (call: Promise<unknown>): Promise<Json> => {
  const [end] = await Promise.allSettled([call]);
  return end?.status === 'rejected' ? (end.reason as { code: string }).code : 'sent';
};

describe('what an attempt sends', () => {
  test('is kept with its commit, in order and as it was when it was sent, and its output is what it returned', async () => {
    const { kept, view } = await run(async ({ channel }) => {
      const message = { n: 1 };
      await channel('news').send(message);
      message.n = 7;
      await channel('news').send('second\nline', { key: 'k' });
      return { done: true };
    });
    expect(view).toMatchObject({ status: 'succeeded', output: { done: true } });
    expect(await kept(1)).toEqual([
      { ...news, bodyJson: '{"n":1}' },
      { ...news, key: 'k', bodyJson: '"second\\nline"' },
    ]);
  });

  test('goes to the channel that the definition describes, with its bounds', async () => {
    const channels = { mine: { scope: 'run', maxMessages: 5, maxBytes: 100 } } as const;
    const { runId, kept } = await run(
      async ({ channel }) => {
        await channel('mine').send(1);
        return null;
      },
      { channels },
    );
    expect(await kept(1)).toEqual([
      { channel: `${runId}~mine`, key: '', bodyJson: '1', maxMessages: 5, maxBytes: 100 },
    ]);
  });

  test('is not sent when the attempt fails', async () => {
    const { kept, view } = await run(async ({ channel }) => {
      await channel('news').send('never');
      throw new Error('after it sent');
    });
    expect(view).toMatchObject({ status: 'failed' });
    expect(await kept(1)).toBeUndefined();
  });

  test('costs a step that sends nothing no field of its run', async () => {
    const { kept } = await run(({ channel }) => {
      channel('news');
      return null;
    });
    expect(await kept(1)).toBeUndefined();
  });
});

describe('a message is refused', () => {
  const channels = { small: { maxBytes: 10 } };

  test.each<[string, (context: StepContext) => Promise<unknown>]>([
    ['to what is no name', async ({ channel }) => channel('~').send(1)],
    ['that is not JSON', ({ channel }) => channel('news').send(Number.NaN)],
    ['that is larger than its channel', ({ channel }) => channel('small').send('x'.repeat(20))],
    [
      'when the attempt has sent a hundred',
      async ({ channel }) => {
        for (let n = 0; n <= 100; n += 1) await channel('news').send(n);
      },
    ],
    [
      'when the attempt has sent a mebibyte',
      async ({ channel }) => {
        for (let n = 0; n < 3; n += 1) await channel('news').send('x'.repeat(400_000));
      },
    ],
  ])('%s', async (_what, send) => {
    const { view } = await run((context) => codeOf(send(context)), { channels });
    expect(view).toMatchObject({ status: 'succeeded', output: 'CHANNEL_REFUSED' });
  });

  test('by a cleanup, which commits nothing', async () => {
    const codes: Json[] = [];
    let isUndoing = false;
    const executor = world.createExecutor(async (_input, { channel }) => {
      if (isUndoing) codes.push(await codeOf(Promise.resolve().then(() => channel('news').send(1))));
      return null;
    });
    const { runId, step } = await world.start({
      a: { ...work, compensate: 'work' },
      b: { kind: 'delay', forMs: 600_000, needs: ['a'] },
    });
    await executor.runTask({ v: 1, i: [step('a')] });
    await world.state.cancelRun(runId);
    isUndoing = true;
    const [, hash, key] = step('a');
    await executor.runTask({ v: 1, i: [[runId, hash, `${key}!0`]] });
    expect(codes).toEqual(['CHANNEL_REFUSED']);
  });
});
