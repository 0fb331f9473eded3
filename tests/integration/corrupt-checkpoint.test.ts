import type { CheckpointList, RunView } from '@flotilla/contracts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { partitionOfRun, partitionTag, stateKey } from '@flotilla/state';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const SECRET = 'first-output';

let fleet: Fleet;
let redis: RedisConnection;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url) });
  redis = connectRedis(fleet.redisUrl, 'commands');
  await untilReady(redis, 60_000);
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await closeConnection(redis);
  await fleet.stop();
  expect(ends).toEqual([]);
});

const echo = (input: unknown, more: object = {}) => ({ kind: 'task', use: 'flotilla.echo', input, ...more });

/** What reads the checkpoint of `first` once `pause` has been told to let it. */
const READERS: Record<string, Record<string, object>> = {
  'a handler': { last: echo({ from: '${{ steps.first.output }}' }, { needs: ['first', 'pause'] }) },
  'a condition': {
    last: echo({}, { needs: ['first', 'pause'], when: 'steps.first.output.value != ""' }),
  },
  'a branch': {
    choose: {
      kind: 'branch',
      needs: ['first', 'pause'],
      cases: [{ when: 'steps.first.output.value != ""', to: 'last' }],
    },
    last: echo({}),
  },
};

const FORGERIES: Record<string, (key: string, index: string) => Promise<unknown>> = {
  'a flipped byte': async (key, index) => {
    const stored = await redis.client.hgetBuffer(key, `o${index}`);
    if (stored === null) throw new Error(`${key} has no output ${index}`);
    const at = stored.indexOf(SECRET);
    stored[at] = stored[at]! ^ 1;
    await redis.client.hset(key, `o${index}`, stored);
  },
  'a byte that breaks the JSON': (key, index) => redis.client.hset(key, `o${index}`, '{"value":'),
  'no checksum': (key, index) => changeHeader(key, index, (parts) => parts.with(11, '')),
  'the checksum of something else': (key, index) => changeHeader(key, index, (parts) => parts.with(11, 'A'.repeat(43))),
};

async function changeHeader(key: string, index: string, change: (parts: string[]) => string[]): Promise<void> {
  const header = await redis.client.hget(key, `s${index}`);
  await redis.client.hset(key, `s${index}`, change((header ?? '').split('|')).join('|'));
}

/** Starts a run, changes the checkpoint of `first`, lets `pause` end by its signal, and gives the run's end. */
async function runForged(
  readers: Record<string, object>,
  forge: (key: string, index: string) => Promise<unknown>,
  output?: string,
) {
  const steps = {
    first: echo({ value: SECRET }),
    pause: { kind: 'signal', name: 'changed', needs: ['first'] },
    ...readers,
  };
  const definition = { flotilla: 1, name: 'corrupt', steps, ...(output === undefined ? {} : { output }) };
  const { runId } = await fleet.api.start({ definition });
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'first');
  const key = stateKey(partitionTag(fleet.namespace, partitionOfRun(runId, 8)), 'run', runId);
  const index = await eventually(async () => indexOf(await redis.client.hgetall(key)));
  await forge(key, index);
  expect(await fleet.api.request('POST', `/v1/runs/${runId}/signals/changed`, null)).toMatchObject({ status: 202 });
  await fleet.api.waitForEnd([runId]);
  return fleet.api.record(runId);
}

/** The step's place in the plan: the only output there is. */
function indexOf(fields: Record<string, string>): string | undefined {
  return Object.keys(fields)
    .find((field) => /^o\d+$/.test(field))
    ?.slice(1);
}

describe.each(Object.entries(FORGERIES))('G12 a checkpoint with %s', (_what, forge) => {
  test.each(Object.entries(READERS))('is not used by %s: the run fails, and says so', async (_reader, readers) => {
    const { run, steps, events } = await runForged(readers, forge);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'DATA_CORRUPTION' } } satisfies Partial<
      Record<keyof RunView, unknown>
    >);
    const corrupt = events.filter(({ type }) => type === 'checkpoint-corrupt');
    expect(corrupt).toHaveLength(1);
    expect(corrupt[0]).toMatchObject({ data: { code: 'DATA_CORRUPTION' } });
    // Whoever looks is not shown it as the step's result.
    const first = steps.find(({ stepId }) => stepId === 'first');
    expect([first?.output, first?.error?.code]).toEqual([undefined, 'DATA_CORRUPTION']);
    const last = steps.find(({ stepId }) => stepId === 'last');
    expect(last?.status).not.toBe('succeeded');
    expect(last?.output).toBeUndefined();
    // One attempt at most: reading it again would not make it right.
    expect(events.filter(({ type, stepId }) => type === 'attempt-started' && stepId !== 'first').length).toBeLessThan(
      2,
    );
  });

  test("is not used by the run's output either", async () => {
    const { run, events } = await runForged({}, forge, '${{ steps.first.output }}');
    expect(run).toMatchObject({ status: 'failed', error: { code: 'DATA_CORRUPTION' } });
    expect(run.output).toBeUndefined();
    expect(events.filter(({ type }) => type === 'checkpoint-corrupt')).toMatchObject([{ stepId: 'first' }]);
  });

  test('is shown as not verified', async () => {
    const { run } = await runForged(READERS['a handler']!, forge);
    const { checkpoints } = await fleet.api.get<CheckpointList>(`/v1/runs/${run.runId}/checkpoints`);
    expect(checkpoints.map(({ stepId, verified }) => [stepId, verified])).toContainEqual(['first', false]);
    expect(checkpoints.find(({ stepId }) => stepId === 'pause')?.verified).toBe(true);
  });
});
