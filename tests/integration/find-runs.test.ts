import { findLeftovers } from '@flotilla/checker';
import type { ErrorGroup, RunCounts, RunView, WorkflowDefinition } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const namespace = testNamespace(import.meta.url);
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
});

const task = (use: string, input: object = {}, more: object = {}) => ({ kind: 'task', use, input, ...more });

async function start(name: string, steps: Record<string, object>, tags: string[] = []): Promise<string> {
  const definition = { flotilla: 1, name, steps } as unknown as WorkflowDefinition;
  return (await fleet.api.start({ definition, tags })).runId;
}

interface Found {
  runs: RunView[];
  counts?: RunCounts;
}

const list = (query: string) => fleet.api.get<Found>(`/v1/runs?${query}`);
const ids = async (query: string) => (await list(query)).runs.map(({ runId }) => runId);

const listed = (query: string, runId: string) =>
  eventually(async () => (await ids(query)).includes(runId), { timeoutMs: 10_000, message: `${runId} in ${query}` });

describe('runs of a fleet', () => {
  test('are found by what they wait for, by their error and by the id of an attempt', async () => {
    const delayed = await start('delayed', { cool: { kind: 'delay', forMs: 600_000 } }, ['red']);
    const missing = await start('missing', { call: task('nobody-has-this') }, ['red']);
    const retried = await start('retried', {
      call: task(
        'flotilla.fail',
        { times: 5, message: 'order 17 is unknown' },
        { retry: { maxAttempts: 9, initialMs: 600_000, jitter: 'none' } },
      ),
    });
    const behind = await start('behind', {
      call: task('flotilla.echo', {}, { breaker: 'payments' }),
      last: task('flotilla.echo', {}, { needs: ['call'] }),
    });
    await listed('waiting=delay', delayed);
    await listed('waiting=no-handler', missing);
    await listed('waiting=backing-off', retried);
    const { counts } = await list('tag=red&counts=true&limit=1');
    expect(counts).toEqual({ status: { running: 2 }, waiting: { delay: 1, 'no-handler': 1 } });
    expect(await ids('tag=red&waiting=delay&status=running&workflow=delayed')).toEqual([delayed]);
    expect(await ids('tag=red&waiting=delay&workflow=missing')).toEqual([]);

    const { errors } = await fleet.api.get<{ errors: ErrorGroup[] }>('/v1/errors');
    const group = errors.find(({ handler }) => handler === 'flotilla.fail');
    expect(group).toMatchObject({
      message: 'order … is unknown',
      count: 1,
      runs: 1,
      exampleRunId: retried,
      state: 'open',
    });
    expect(await ids(`error=${group?.fingerprint}`)).toEqual([retried]);

    const record = await fleet.api.record(retried);
    const attemptId = record.events.find(({ type }) => type === 'attempt-started')?.attemptId ?? '';
    expect(await ids(`id=${attemptId}`)).toEqual([retried]);

    for (const runId of [delayed, missing, retried]) await fleet.api.post(`/v1/runs/${runId}/cancel?waitMs=10000`, {});
    await fleet.api.waitForEnd([behind]);
    expect((await list('counts=true&limit=1')).counts).toEqual({ status: { cancelled: 3, succeeded: 1 }, waiting: {} });
    expect(await findLeftovers(fleet.redisUrl, namespace)).toEqual([]);
  });
});
