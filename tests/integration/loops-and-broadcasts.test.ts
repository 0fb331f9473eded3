import type { RunView } from '@flotilla/contracts';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers: 2 });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

async function run(steps: object, more: object = {}, input: object = {}): Promise<RunView & { stepIds: string[] }> {
  const definition = { flotilla: 1, name: 'coordination', steps, ...more };
  const { run, steps: views } = await fleet.api.runToEnd({ definition, input });
  return { ...run, stepIds: views.map(({ stepId, status }) => `${stepId} ${status}`) };
}

const echo = (input: unknown) => ({ kind: 'task', use: 'flotilla.echo', input });

describe('a loop', () => {
  test('goes on with what it gave before until its condition holds', async () => {
    const each = echo({
      n: '${{ iteration.output == null ? 1 : iteration.output.n * 2 }}',
      at: '${{ iteration.index }}',
    });
    const ended = await run(
      { grow: { kind: 'loop', maxIterations: 10, until: 'iteration.output.n >= run.input.goal', each } },
      { output: '${{ steps.grow.output }}' },
      { goal: 8 },
    );
    expect(ended.output).toEqual({ iterations: 4, last: { n: 8, at: 3 }, endedBy: 'condition' });
    expect(ended.stepIds).toEqual(['grow', 'grow[0]', 'grow[1]', 'grow[2]', 'grow[3]'].map((id) => `${id} succeeded`));
  });

  test('looks at its condition before its limit, and says which ended it', async () => {
    const loop = (until: string) => ({ kind: 'loop', maxIterations: 2, until, each: echo('${{ iteration.index }}') });
    const ended = await run(
      { both: loop('iteration.index == 1'), limit: loop('false') },
      { output: ['${{ steps.both.output.endedBy }}', '${{ steps.limit.output.endedBy }}'] },
    );
    expect(ended.output).toEqual(['condition', 'limit']);
  });

  test('ends by its budget of steps', async () => {
    const ended = await run(
      { l: { kind: 'loop', maxIterations: 100, each: echo(1) } },
      { budget: { maxSteps: 4 }, output: '${{ steps.l.output }}' },
    );
    expect(ended.output).toMatchObject({ iterations: 3, endedBy: 'budget' });
  });

  test('that fails goes on in the same iteration when the run is retried', async () => {
    const each = {
      kind: 'task',
      use: 'flotilla.fail',
      input: { times: '${{ iteration.index == 2 ? 1 : 0 }}' },
      retry: { maxAttempts: 1 },
    };
    const failed = await run(
      { l: { kind: 'loop', maxIterations: 4, each } },
      { output: '${{ steps.l.output.iterations }}' },
    );
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'MAP_ITEMS_FAILED', stepId: 'l' } });
    await fleet.api.post(`/v1/runs/${failed.runId}/retry`);
    await fleet.api.waitForEnd([failed.runId]);
    // The attempts of the failed iteration are counted anew, so its handler fails again: three iterations were kept.
    const events = await fleet.api.history(failed.runId);
    const started = events.filter(({ type }) => type === 'attempt-started').map(({ stepId }) => stepId);
    expect(started).toEqual(['l[0]', 'l[1]', 'l[2]', 'l[2]']);
  });

  test('whose condition cannot be evaluated fails', async () => {
    const ended = await run({
      l: { kind: 'loop', maxIterations: 3, until: 'iteration.output.missing.more', each: echo({}) },
    });
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'EXPRESSION_FAILED', stepId: 'l' } });
  });
});

test('a loop and a broadcast that follow a step make their items, whoever made the step before', async () => {
  const ended = await run(
    {
      draft: echo('text'),
      critic: { kind: 'loop', needs: ['draft'], maxIterations: 2, each: echo('${{ iteration.index + 7 }}') },
      jury: { kind: 'broadcast', needs: ['critic'], over: '[1, 2]', each: echo('${{ item }}') },
      after: { ...echo('${{ steps.jury.output.outputs }}'), needs: ['jury'] },
    },
    { output: ['${{ steps.critic.output.last }}', '${{ steps.after.output }}'] },
  );
  expect(ended).toMatchObject({ status: 'succeeded', output: [8, [1, 2]] });
  expect(ended.stepIds).toContain('critic[1] succeeded');
});

describe('a broadcast', () => {
  const vote = (input: object, retry = { maxAttempts: 1 }) => ({ kind: 'task', use: 'flotilla.fail', input, retry });

  test('is decided by a quorum, and stops the others', async () => {
    const each = { kind: 'task', use: 'flotilla.sleep', input: { ms: '${{ item }}' } };
    const ended = await run(
      { ask: { kind: 'broadcast', over: '[10, 60000, 20, 60000]', each, decide: { quorum: 2 } } },
      { output: '${{ steps.ask.output }}' },
    );
    expect(ended.output).toEqual({ succeeded: 2, outputs: [expect.any(Object), null, expect.any(Object), null] });
    expect(ended.stepIds.filter((id) => id.endsWith('succeeded'))).toEqual([
      'ask succeeded',
      'ask[0] succeeded',
      'ask[2] succeeded',
    ]);
  });

  test('fails as soon as its quorum is out of reach', async () => {
    const each = vote({ times: '${{ item }}' });
    const ended = await run({ ask: { kind: 'broadcast', over: '[1, 1, 0, 0]', each, decide: { quorum: 3 } } });
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'QUORUM_UNREACHABLE', stepId: 'ask' } });
  });

  test('takes the first success with any, and needs every one with all', async () => {
    const ask = (decide: string) => ({
      kind: 'broadcast',
      over: '[1, 0]',
      each: vote({ times: '${{ item }}' }),
      decide,
    });
    const ended = await run({ one: ask('any'), all: ask('all') }, { failFast: false });
    expect(ended.stepIds).toEqual(expect.arrayContaining(['one succeeded', 'all failed']));
  });

  test.each([
    [{ decide: { quorum: 3 }, capability: 'critic', count: 2 }, '/steps/ask/decide/quorum'],
    [{ capability: 'critic' }, '/steps/ask/count'],
    [{ over: '[1]' }, '/steps/ask/each'],
    [{}, '/steps/ask/over'],
  ])('of %j is refused', async (broadcast, path) => {
    const definition = { flotilla: 1, name: 'b', steps: { ask: { kind: 'broadcast', ...broadcast } } };
    const { body } = await fleet.api.request<{ problems: { path: string }[] }>('POST', '/v1/runs', { definition });
    expect(body.problems.map((problem) => problem.path)).toEqual([path]);
  });
});
