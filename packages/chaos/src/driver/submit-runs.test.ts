import { FleetApi } from '@flotilla/local-fleet';
import { describe, expect, test } from '@jest/globals';
import { submitRuns } from './submit-runs.ts';

/** A scheduler that accepts no run id before it was asked for it so many times. */
function schedulerThatAccepts(afterTries: Readonly<Record<string, number>>) {
  const asked: string[][] = [];
  const fetch: typeof globalThis.fetch = async (_url, init) => {
    const { runs } = JSON.parse(String(init?.body)) as { runs: { runId: string }[] };
    asked.push(runs.map(({ runId }) => runId));
    const answers = runs.map(({ runId }) => {
      const tries = asked.filter((runIds) => runIds.includes(runId)).length;
      return tries < (afterTries[runId] ?? 1)
        ? { error: { code: 'STORAGE_FULL' } }
        : { runId, status: 'pending', deduplicated: false, durability: 'fast' };
    });
    return new Response(JSON.stringify({ runs: answers }), { status: 200 });
  };
  return { api: new FleetApi(() => ['http://scheduler.example'], fetch), asked };
}

const submissionsOf = (...runIds: string[]) => runIds.map((runId) => ({ runId }));

describe('runs submitted in one request', () => {
  test('are submitted again as long as they are refused, and no others are', async () => {
    const { api, asked } = schedulerThatAccepts({ b: 3 });
    expect(await submitRuns(api, submissionsOf('a', 'b'), 10_000)).toEqual(new Map());
    expect(asked).toEqual([['a', 'b'], ['b'], ['b']]);
  });

  test('that are not accepted in time are named, with the reason', async () => {
    const { api } = schedulerThatAccepts({ b: Number.POSITIVE_INFINITY });
    expect(await submitRuns(api, submissionsOf('a', 'b'), 300)).toEqual(new Map([['b', 'STORAGE_FULL']]));
  });
});
