import type { Json, RunView, StepView } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 3,
    workerEnv: { FLOTILLA_HANDLERS: new URL('./fixtures/turn-handlers.ts', import.meta.url).pathname },
  });
}, 60_000);
afterAll(() => fleet.stop());

async function run(steps: object, more: object = {}): Promise<{ run: RunView; steps: readonly StepView[] }> {
  return fleet.api.runToEnd({ definition: { flotilla: 1, name: 'turns', steps, ...more } }, 60_000);
}

const echo = (input: Json) => ({ kind: 'task', use: 'flotilla.echo', input });

/** `script`: CEL that gives what a turn returns. */
function handoff(script: string, more: object = {}) {
  return {
    kind: 'handoff',
    agents: { triage: { targets: ['billing', 'repairs'] }, billing: { targets: ['triage'] }, repairs: {} },
    start: 'triage',
    maxHops: 4,
    each: echo(`\${{ ${script} }}`),
    ...more,
  };
}

describe('a handoff', () => {
  const output = { output: '${{ steps.desk.output }}' };

  test('goes from agent to agent with what each hands over, until one answers', async () => {
    const script = `turn.agent == 'triage' ? {'note': 'wet', 'handoff': {'to': 'repairs', 'context': {'leak': 3}}}
      : {'answer': turn.context.leak, 'from': turn.from, 'note': turn.output.note}`;
    const { run: ended, steps } = await run({ desk: handoff(script) }, output);
    expect(ended.output).toEqual({
      hops: 1,
      path: ['triage', 'repairs'],
      last: { answer: 3, from: 'triage', note: 'wet' },
      endedBy: 'answer',
    });
    expect(steps.map(({ stepId, status, turnOf }) => [stepId, status, turnOf])).toEqual([
      ['desk', 'succeeded', undefined],
      ['desk[0]', 'succeeded', 'triage'],
      ['desk[1]', 'succeeded', 'repairs'],
    ]);
  });

  test('ends by its limit, by ping-pong and by the budget of steps', async () => {
    const pass = (context: string) =>
      `{'handoff': {'to': turn.agent == 'triage' ? 'billing' : 'triage', 'context': ${context}}}`;
    const { run: limit } = await run({ desk: handoff(pass('turn.index')) }, output);
    expect(limit.output).toMatchObject({ hops: 4, endedBy: 'limit' });
    const { run: pingPong } = await run({ desk: handoff(pass("'the same'"), { maxHops: 100 }) }, output);
    expect(pingPong.output).toMatchObject({
      hops: 2,
      path: ['triage', 'billing', 'triage'],
      endedBy: 'ping-pong',
    });
    const { run: budget } = await run({ desk: handoff(pass('turn.index')) }, { ...output, budget: { maxSteps: 3 } });
    expect(budget.output).toMatchObject({ hops: 1, endedBy: 'budget' });
  });

  test('refuses a turn that hands over to somebody else, and tries it again', async () => {
    const each = { ...echo("${{ {'handoff': {'to': 'billing'}} }}"), retry: { maxAttempts: 2, initialMs: 1 } };
    const agents = { triage: { targets: ['bill'] }, bill: {} };
    const { run: ended, steps } = await run({ desk: handoff('', { agents, each }) });
    expect(ended.error).toMatchObject({ code: 'MAP_ITEMS_FAILED', stepId: 'desk' });
    expect(steps.find(({ stepId }) => stepId === 'desk[0]')).toMatchObject({
      attempts: 2,
      error: { code: 'TURN_REFUSED', message: 'triage may hand over only to bill, not to billing' },
    });
  });

  test('that failed goes on with the same turn when the run is retried', async () => {
    const input = { says: { handoff: { to: 'repairs' } }, fails: "${{ turn.agent == 'repairs' }}" };
    const each = { kind: 'task', use: 'take-turn', input, retry: { maxAttempts: 1 } };
    const { run: failed } = await run({ desk: handoff('', { each }) });
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'MAP_ITEMS_FAILED', stepId: 'desk' } });
    await fleet.api.post(`/v1/runs/${failed.runId}/retry`);
    await fleet.api.waitForEnd([failed.runId]);
    const events = await fleet.api.history(failed.runId);
    const started = events.flatMap(({ type, stepId }) => (type === 'attempt-started' ? [stepId] : []));
    expect(started).toEqual(['desk[0]', 'desk[1]', 'desk[1]']);
  });

  test.each([
    [{ start: 'triag' }, ['/steps/desk/start'], 'did you mean triage?'],
    [
      { agents: { triage: { targets: ['bob'] }, bobby: {} } },
      ['/steps/desk/agents/triage/targets/0', '/steps/desk/agents/bobby'],
    ],
    [
      { agents: { triage: { targets: ['triage'] }, b: {} } },
      ['/steps/desk/agents/triage/targets/0', '/steps/desk/agents/b'],
    ],
    [
      { agents: { triage: { targets: ['b'] }, b: { targets: ['c'] }, c: {} }, maxHops: 1 },
      ['/steps/desk/agents/c'],
      '2 hand-offs',
    ],
    [{ maxHops: undefined }, ['/steps/desk/maxHops']],
    [{ each: echo({ who: '${{ turn.agnet }}' }) }, ['/steps/desk/each/input/who'], 'did you mean agent?'],
  ])('with %j is refused', async (change, paths, message = '') => {
    const definition = { flotilla: 1, name: 'turns', steps: { desk: handoff('1', change) } };
    const { body } = await fleet.api.request<{ problems: { path: string; message: string }[] }>('POST', '/v1/runs', {
      definition,
    });
    expect(body.problems.map(({ path }) => path)).toEqual(paths);
    expect(body.problems[0]?.message).toContain(message);
  });
});

describe('a conversation', () => {
  const talk = (more: object) => ({ kind: 'conversation', participants: ['ada', 'bob', 'cy'], maxTurns: 4, ...more });
  const output = { output: '${{ steps.debate.output }}' };

  test('goes round, and each turn sees what was said before', async () => {
    const each = echo("${{ turn.speaker + ' heard ' + string(size(turn.transcript)) }}");
    const { run: ended, steps } = await run({ debate: talk({ each }) }, output);
    expect(steps.map(({ turnOf }) => turnOf)).toEqual([undefined, 'ada', 'bob', 'cy', 'ada']);
    const transcript = ['ada', 'bob', 'cy', 'ada'].map((speaker, turn) => {
      return { speaker, output: `${speaker} heard ${turn}` };
    });
    expect(ended.output).toEqual({ turns: 4, transcript, last: 'ada heard 3', endedBy: 'limit' });
  });

  test('lets an expression choose who is next, and ends by its condition', async () => {
    const each = echo({ n: '${{ turn.index }}', to: "${{ turn.speaker == 'ada' ? 'cy' : 'ada' }}" });
    const steps = { debate: talk({ next: 'turn.output.to', until: 'turn.output.n == run.input.at', each }) };
    const definition = { flotilla: 1, name: 'turns', steps, ...output };
    const { run: ended } = await fleet.api.runToEnd({ definition, input: { at: 2 } });
    expect(ended.output).toMatchObject({
      turns: 3,
      transcript: [{ speaker: 'ada' }, { speaker: 'cy' }, { speaker: 'ada' }],
      endedBy: 'condition',
    });
  });

  test('leaves out the oldest turns beyond the bytes that a turn may see', async () => {
    const each = echo({
      text: 'x'.repeat(100),
      seen: '${{ turn.transcript.map(said, said.speaker) }}',
      omitted: '${{ turn.omitted }}',
    });
    const { run: ended } = await run({ debate: talk({ maxTranscriptBytes: 400, each }) }, output);
    expect(ended.output).toMatchObject({ last: { seen: ['bob', 'cy'], omitted: 1 } });
  });

  test('whose expression names nobody fails', async () => {
    const { run: ended } = await run({ debate: talk({ next: "'bo'", each: echo(1) }) });
    expect(ended.error).toMatchObject({ code: 'TURN_REFUSED', stepId: 'debate' });
    expect(ended.error?.message).toContain('did you mean bob?');
  });

  test.each([
    [{ participants: ['ada', 'ada'] }, '/steps/debate/participants/1'],
    [{ maxTurns: 2 }, '/steps/debate/participants/2'],
    [{ next: '1 + 1' }, '/steps/debate/next'],
    [{ until: 'tur.index == 1' }, '/steps/debate/until'],
    [{ until: 'turn.agent == "ada"' }, '/steps/debate/until'],
  ])('with %j is refused', async (change, path) => {
    const definition = { flotilla: 1, name: 'turns', steps: { debate: talk({ each: echo(1), ...change }) } };
    const { body } = await fleet.api.request<{ problems: { path: string }[] }>('POST', '/v1/runs', { definition });
    expect(body.problems.map((problem) => problem.path)).toEqual([path]);
  });
});

test('a broadcast asks so many agents with a capability, and warns when nobody has it', async () => {
  const ask = (capability: string) => ({
    ask: { kind: 'broadcast', capability, count: 3, input: { question: 'why', number: '${{ index }}' } },
  });
  const { run: ended } = await run(ask('judging'), { output: '${{ steps.ask.output }}' });
  expect(ended.output).toEqual({ succeeded: 3, outputs: [0, 1, 2].map((number) => ({ question: 'why', number })) });
  const definition = { flotilla: 1, name: 'turns', steps: ask('jugding') };
  // A scheduler that cannot list the agents soon enough warns of nothing.
  const problems = await eventually(async () => {
    const { body } = await fleet.api.request<{ problems: object[] }>('POST', '/v1/validate', { definition });
    return body.problems.length > 0 && body.problems;
  });
  expect(problems).toEqual([
    expect.objectContaining({ code: 'CAPABILITY_NOT_AVAILABLE', path: '/steps/ask/capability' }),
  ]);
});

test('turns whose workers are killed in their midst give the same answer, each committed once', async () => {
  const turn = (says: string) => ({ kind: 'task', use: 'take-turn', input: { says, dies: '${{ turn.index == 1 }}' } });
  const steps = {
    desk: handoff('', {
      each: turn("${{ turn.agent == 'triage' ? {'handoff': {'to': 'repairs'}} : {'fixed': true} }}"),
    }),
    debate: {
      kind: 'conversation',
      participants: ['ada', 'bob'],
      maxTurns: 3,
      each: turn('${{ size(turn.transcript) }}'),
    },
  };
  const output = ['${{ steps.desk.output }}', '${{ steps.debate.output.transcript }}'];
  const { run: ended } = await run(steps, { output });
  expect(ended.output).toEqual([
    { hops: 1, path: ['triage', 'repairs'], last: { fixed: true }, endedBy: 'answer' },
    ['ada', 'bob', 'ada'].map((speaker, said) => ({ speaker, output: said })),
  ]);
  const events = await fleet.api.history(ended.runId);
  const of = (type: string) => events.flatMap((event) => (event.type === type ? [event.stepId] : [])).sort();
  expect(of('step-succeeded')).toEqual(
    ['debate', 'debate[0]', 'debate[1]', 'debate[2]', 'desk', 'desk[0]', 'desk[1]'].sort(),
  );
  // A worker that dies takes along what else it holds: these are lost at least.
  expect(of('attempt-lost')).toEqual(expect.arrayContaining(['debate[1]', 'desk[1]']));
}, 90_000);
