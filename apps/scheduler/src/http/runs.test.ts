import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { agentWith, ECHO, redisIsAway, startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server.app.close();
});

describe('POST /v1/runs', () => {
  test('starts a run of a definition and answers 201 with its id', async () => {
    const { status, body } = await server.send('POST', '/v1/runs', {
      definition: ECHO,
      input: { a: 1 },
      tags: ['x', 'x'],
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ runId: '00-0', status: 'running', deduplicated: false, durability: 'fast' });
    expect(server.api.created[0]).toMatchObject({ inputJson: '{"a":1}', tags: ['x'], durability: 'fast' });
  });

  test('starts a run of a registered workflow, and of its new version at once', async () => {
    await server.send('POST', '/v1/workflows', { definition: ECHO });
    await server.send('POST', '/v1/runs', { workflow: 'echo' });
    await server.send('POST', '/v1/workflows', { definition: { ...ECHO, title: 'second' } });
    await server.send('POST', '/v1/runs', { workflow: 'echo' });
    expect(server.api.created.map(({ plan }) => plan.definition.title)).toEqual([undefined, 'second']);
  });

  test('answers 200 to the same key and body, whatever the order of the keys of its JSON', async () => {
    const first = await server.send('POST', '/v1/runs', {
      definition: ECHO,
      input: { a: 1, b: 2 },
      idempotencyKey: 'k 1',
    });
    const again = await server.send('POST', '/v1/runs', {
      idempotencyKey: 'k 1',
      input: { b: 2, a: 1 },
      definition: ECHO,
    });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toMatchObject({ runId: first.body['runId'], deduplicated: true });
  });

  test.each([
    ['input', { input: { a: 2 } }],
    ['tags', { tags: ['t'] }],
    ['definition', { definition: { ...ECHO, title: 'other' } }],
  ])('answers 409 to the same key with another %s', async (_what, change) => {
    const body = { definition: ECHO, input: { a: 1 }, idempotencyKey: 'k' };
    await server.send('POST', '/v1/runs', body);
    const { status, problem } = await server.send('POST', '/v1/runs', { ...body, ...change });
    expect([status, problem.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
  });

  test('answers 200 to the same key and workflow name although a new version was registered in between', async () => {
    await server.send('POST', '/v1/workflows', ECHO);
    const first = await server.send('POST', '/v1/runs', { workflow: 'echo', idempotencyKey: 'k' });
    await server.send('POST', '/v1/workflows', { ...ECHO, title: 'second' });
    const again = await server.send('POST', '/v1/runs', { workflow: 'echo', idempotencyKey: 'k' });
    expect([again.status, again.body['runId']]).toEqual([200, first.body['runId']]);
  });

  test('warns of handlers and capabilities that no worker has, and accepts the run', async () => {
    const definition = {
      ...ECHO,
      steps: {
        ...ECHO.steps,
        price: { kind: 'agent', capability: 'pricing' },
        pay: { kind: 'task', use: 'payments.charge' },
        say: { kind: 'task', use: 'flotilla.ecko' },
        call: { kind: 'http', request: { url: 'https://example.org' } },
      },
    };
    server.api.agents = [agentWith(['flotilla.echo', 'flotilla.http'])];
    const { status, body } = await server.send('POST', '/v1/runs', { definition });
    expect(status).toBe(201);
    const warnings = body['warnings'] as { code: string; path: string }[];
    expect(warnings.map(({ code, path }) => `${code} ${path}`).sort()).toEqual([
      'CAPABILITY_NOT_AVAILABLE /steps/price/capability',
      'HANDLER_NOT_AVAILABLE /steps/pay/use',
      'HANDLER_NOT_AVAILABLE /steps/say/use',
    ]);
    const messages = (body['warnings'] as { message: string }[]).map(({ message }) => message);
    expect(messages).toContainEqual(expect.stringMatching(/flotilla\.ecko now: .* \(did you mean flotilla\.echo\?\)$/));
    expect(messages.filter((message) => message.includes('did you mean'))).toHaveLength(1);
  });

  test('looks at the agents once for many starts, and starts without them when they cannot be read', async () => {
    let lookups = 0;
    server.api.before = (method) => {
      if (method !== 'listAgents') return;
      lookups += 1;
      throw redisIsAway;
    };
    const starts = await Promise.all(
      Array.from({ length: 20 }, () => server.send('POST', '/v1/runs', { definition: ECHO })),
    );
    expect(starts.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    expect(lookups).toBe(1);
  });

  test('checks the input against the schema of the workflow and tells all problems', async () => {
    const definition = {
      ...ECHO,
      input: { type: 'object', required: ['orderId', 'items'], properties: { items: { items: { type: 'integer' } } } },
    };
    const { status, problem } = await server.send('POST', '/v1/runs', { definition, input: { items: [1, 'x', 2.5] } });
    expect([status, problem.code]).toEqual([422, 'INPUT_INVALID']);
    expect(problem.problems?.map(({ path }) => path)).toEqual(['/input/orderId', '/input/items/1', '/input/items/2']);
    expect(server.api.created).toEqual([]);
  });

  test('says when the store is away, whether the run may exist, and when to come back', async () => {
    server.api.before = (method) => {
      if (method === 'createRun') throw redisIsAway;
    };
    const { status, problem, headers } = await server.send('POST', '/v1/runs', { definition: ECHO });
    expect(status).toBe(503);
    expect(problem).toMatchObject({ code: 'REDIS_UNAVAILABLE', ambiguous: true, retryAfterMs: 1200 });
    expect(headers['retry-after']).toBe('2');
  });

  test('answers 504 and that the outcome is unknown when the store does not answer in time', async () => {
    await server.app.close();
    server = await startTestServer({ requestDeadlineMs: 100 });
    server.api.before = (method) => (method === 'createRun' ? new Promise(() => undefined) : undefined);
    const { status, problem } = await server.send('POST', '/v1/runs', { definition: ECHO });
    expect([status, problem.code, problem.ambiguous]).toEqual([504, 'DEADLINE_EXCEEDED', true]);
  });

  test('tells nothing of an unexpected error but that there was one, and logs it', async () => {
    server.api.before = () => {
      throw new Error('secret detail');
    };
    const { status, problem, text } = await server.send('POST', '/v1/runs', { definition: ECHO });
    expect([status, problem.code]).toEqual([500, 'INTERNAL']);
    expect(text).not.toContain('secret');
    expect(server.logged).toMatchObject([{ err: new Error('secret detail') }]);
  });
});

describe('POST /v1/runs/batch', () => {
  test('answers each entry for itself, in the order of the request', async () => {
    await server.send('POST', '/v1/workflows', { definition: ECHO });
    const { status, body } = await server.send('POST', '/v1/runs/batch', {
      runs: [
        { workflow: 'echo', runId: '01-a' },
        { workflow: 'nope' },
        { workflow: 'echo', colour: 'red' },
        7,
        { definition: { ...ECHO, steps: {} } },
        { workflow: 'echo', runId: '01-a' },
        { workflow: 'echo', runId: '01-a', input: { other: true } },
      ],
    });
    expect(status).toBe(200);
    expect(body['runs']).toMatchObject([
      { runId: '01-a', deduplicated: false },
      { error: { code: 'WORKFLOW_NOT_FOUND', status: 404 } },
      { error: { code: 'VALIDATION_FAILED', problems: [{ code: 'UNKNOWN_FIELD', path: '/colour' }] } },
      { error: { code: 'VALIDATION_FAILED' } },
      { error: { code: 'DEFINITION_INVALID' } },
      { runId: '01-a', deduplicated: true },
      { error: { code: 'IDEMPOTENCY_CONFLICT' } },
    ]);
  });

  test('takes a thousand entries and refuses one more, reading a shared workflow once', async () => {
    await server.send('POST', '/v1/workflows', { definition: ECHO });
    const before = server.api.calls;
    const runs = Array.from({ length: 1000 }, () => ({ workflow: 'echo' }));
    const { status, body } = await server.send('POST', '/v1/runs/batch', { runs });
    expect([status, (body['runs'] as unknown[]).length]).toEqual([200, 1000]);
    expect(server.api.calls - before).toBeLessThanOrEqual(3);
    const tooMany = await server.send('POST', '/v1/runs/batch', { runs: [...runs, { workflow: 'echo' }] });
    expect([tooMany.status, tooMany.problem.code]).toEqual([400, 'VALIDATION_FAILED']);
  });
});

describe('reads', () => {
  test('a run, its steps, its history and its checkpoints are read by its id', async () => {
    await server.send('POST', '/v1/runs', { definition: ECHO, runId: 'r1' });
    server.api.finish('r1', 'succeeded', { a: 1 });
    expect((await server.send('GET', '/v1/runs/r1')).body).toMatchObject({ status: 'succeeded', output: { a: 1 } });
    expect((await server.send('GET', '/v1/runs/r1/steps')).body).toMatchObject({ steps: [{ stepId: 'say' }] });
    const { body } = await server.send('GET', '/v1/runs/r1/history?after=0&limit=5');
    expect(body).toMatchObject({ events: [{ seq: 1, type: 'run-succeeded' }], next: 1 });
    expect((await server.send('GET', '/v1/runs/r1/checkpoints')).body).toEqual({ checkpoints: [] });
  });

  test.each(['', '/steps', '/history', '/checkpoints', '/events'])(
    'answers 404 for %s of an unknown run',
    async (part) => {
      const { status, problem, headers } = await server.send('GET', `/v1/runs/nope${part}`);
      expect([status, problem.code]).toEqual([404, 'RUN_NOT_FOUND']);
      expect(headers['content-type']).toContain('application/problem+json');
    },
  );

  test('lists runs by workflow, status and tag, page by page', async () => {
    for (const runId of ['a', 'b', 'c'])
      await server.send('POST', '/v1/runs', { definition: ECHO, runId, tags: ['t'] });
    server.api.finish('b', 'failed');
    const first = await server.send('GET', '/v1/runs?limit=2&tag=t&workflow=echo');
    expect((first.body['runs'] as { runId: string }[]).map(({ runId }) => runId)).toEqual(['c', 'b']);
    const second = await server.send('GET', `/v1/runs?limit=2&tag=t&cursor=${first.body['cursor']}`);
    expect((second.body['runs'] as unknown[]).length).toBe(1);
    const failed = await server.send('GET', '/v1/runs?status=failed');
    expect(failed.body['runs']).toMatchObject([{ runId: 'b' }]);
  });

  test.each([
    '/v1/runs?limit=0',
    '/v1/runs?limit=501',
    '/v1/runs?limit=abc',
    '/v1/runs?status=asleep',
    '/v1/runs?colour=red',
    '/v1/runs?tag=a:b',
    '/v1/runs/r/history?after=-2',
    '/v1/runs/r/history?limit=100000',
    '/v1/runs/r/history?after=1e400',
    '/v1/runs/a:b',
    '/v1/runs/__proto__',
  ])('answers 400 to %s', async (url) => {
    const { status, problem } = await server.send('GET', url);
    expect([status, problem.code, problem.problems?.length]).toEqual([400, 'VALIDATION_FAILED', 1]);
  });
});
