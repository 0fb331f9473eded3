import { createClient, type FlotillaClient, FlotillaError } from '@flotilla/client';
import type { HistoryEvent } from '@flotilla/contracts';
import { eventually, startStopwatch, within } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type CuttingProxy, startCuttingProxy } from './testing/cutting-proxy.ts';
import { ECHO, redisIsAway, startTestServer, type TestServer } from './testing/start-test-server.ts';

/** The client package against the real server, with a network in between that breaks. */
let server: TestServer;
let proxy: CuttingProxy;
let client: FlotillaClient;
beforeEach(async () => {
  server = await startTestServer();
  proxy = await startCuttingProxy(await server.listen());
  client = createClient({ url: proxy.url, retry: { initialMs: 5, maxMs: 20 } });
});
afterEach(async () => {
  await proxy.close();
  await server.app.close();
});

async function errorOf(promise: Promise<unknown>): Promise<FlotillaError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FlotillaError)) throw new Error(`expected a FlotillaError, got ${String(error)}`);
  return error;
}

describe('start', () => {
  test('starts a run of a definition or of a registered workflow', async () => {
    const first = await client.start(ECHO, { a: 1 }, { tags: ['t'] });
    expect(first).toMatchObject({ runId: expect.stringMatching(/^\d\d-[a-z2-7]{24}$/), deduplicated: false });
    expect((await client.registerWorkflow(ECHO)).created).toBe(true);
    const second = await client.start('echo', { a: 1 }, { runId: 'mine', durability: 'fast' });
    expect(second.runId).toBe('mine');
    expect((await client.list({ tag: 't' })).runs).toMatchObject([{ runId: first.runId, input: { a: 1 } }]);
  });

  test.each(['cut-before', 'cut-after'] as const)(
    'makes one run although connections are broken (%s)',
    async (fate) => {
      proxy.fates.push(fate, fate);
      const started = await client.start(ECHO);
      expect(started.deduplicated).toBe(false);
      expect([...server.api.runs.keys()]).toEqual([started.runId]);
      expect(server.api.created.length).toBe(fate === 'cut-after' ? 3 : 1);
    },
  );

  test('makes one run for an idempotency key, also after a lost answer', async () => {
    proxy.fates.push('cut-after');
    const first = await client.start(ECHO, {}, { idempotencyKey: 'order 7' });
    const again = await client.start(ECHO, {}, { idempotencyKey: 'order 7' });
    expect(again).toMatchObject({ runId: first.runId, deduplicated: true });
    expect(server.api.runs.size).toBe(1);
    const conflict = await errorOf(client.start(ECHO, { other: 1 }, { idempotencyKey: 'order 7' }));
    expect([conflict.code, conflict.ambiguous]).toEqual(['IDEMPOTENCY_CONFLICT', false]);
  });

  test('says that the outcome is unknown when every answer was lost, and the run is there', async () => {
    const once = createClient({ url: proxy.url, retry: false });
    proxy.fates.push('cut-after');
    const error = await errorOf(once.start(ECHO, {}, { runId: 'r1' }));
    expect([error.code, error.ambiguous]).toEqual(['SCHEDULER_UNREACHABLE', true]);
    expect(server.api.runs.has('r1')).toBe(true);
  });

  test('says that nothing happened when nobody listens', async () => {
    await proxy.close();
    const error = await errorOf(client.start(ECHO));
    expect([error.code, error.ambiguous]).toEqual(['SCHEDULER_UNREACHABLE', false]);
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('rejects at its deadline, and says that the outcome is unknown', async () => {
    server.api.before = () => new Promise(() => undefined);
    const machineMs = startStopwatch();
    const error = await errorOf(client.start(ECHO, {}, { deadlineMs: 200 }));
    expect([error.code, error.ambiguous]).toEqual(['DEADLINE_EXCEEDED', true]);
    // Far from its time limit without a deadline.
    expect(machineMs()).toBeLessThan(3000);
  });

  test('tries again when the server says that it may help, and not before', async () => {
    let refusals = 0;
    server.api.before = (method) => {
      if (method !== 'createRun' || refusals === 2) return;
      refusals += 1;
      throw new FlotillaError('OVERLOADED', 'later', { retryAfterMs: 60 });
    };
    const startedAt = performance.now();
    await client.start(ECHO);
    expect(refusals).toBe(2);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(118);
  });

  test('does not wait for a retry that would come after the deadline', async () => {
    server.api.before = (method) => {
      if (method === 'createRun') throw new FlotillaError('OVERLOADED', 'later', { retryAfterMs: 60_000 });
    };
    const calling = errorOf(client.start(ECHO, {}, { deadlineMs: 50_000 }));
    expect((await within(calling, 5000, 'the refusal')).code).toBe('OVERLOADED');
  });

  test('passes on what the server refuses, with all problems, and does not repeat it', async () => {
    const steps = { a: { kind: 'task', use: 'x', needs: ['ghost'] }, b: { kind: 'nope' } };
    const error = await errorOf(client.start({ flotilla: 1, name: 'w', steps }));
    expect([error.code, error.ambiguous]).toEqual(['DEFINITION_INVALID', false]);
    expect(error.problems.map(({ path }) => path.split('/')[2]).sort()).toEqual(['a', 'b']);
    expect(proxy.forwarded).toBe(1);
  });

  test.each<[string, unknown, string]>([
    ['undefined in a list', [undefined], '/input/0'],
    ['NaN', [Number.NaN], '/input/0'],
    ['a BigInt', { n: 1n }, '/input/n'],
    ['a date', { at: new Date(0) }, '/input/at'],
    ['a function', { f: () => 1 }, '/input/f'],
    ['a map', new Map(), '/input'],
    ['a lone surrogate', { s: '\ud800' }, '/input/s'],
  ])('refuses an input with %s before anything is sent', async (_what, input, path) => {
    const error = await errorOf(client.start(ECHO, input as null));
    expect([error.code, error.problems[0]?.path]).toEqual(['VALIDATION_FAILED', path]);
    expect(proxy.forwarded).toBe(0);
  });

  test('refuses an input that contains itself, and one that is too deep', async () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect((await errorOf(client.start(ECHO, loop as never))).code).toBe('VALIDATION_FAILED');
    let deep: unknown = 1;
    for (let level = 0; level < 5000; level += 1) deep = [deep];
    expect((await errorOf(client.start(ECHO, deep as never))).code).toBe('JSON_TOO_DEEP');
  });

  test('is given up by its signal', async () => {
    server.api.before = () => new Promise(() => undefined);
    const controller = new AbortController();
    const starting = errorOf(client.start(ECHO, {}, { signal: controller.signal }));
    while (server.api.calls === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    const error = await starting;
    expect([error.code, error.ambiguous]).toEqual(['CALL_ABORTED', true]);
    const before = await errorOf(client.start(ECHO, {}, { signal: controller.signal }));
    expect([before.code, before.ambiguous]).toEqual(['CALL_ABORTED', false]);
  });
});

describe('startMany', () => {
  test('answers each entry, with one run each although answers are lost', async () => {
    proxy.fates.push('cut-after', 'cut-before');
    const answers = await client.startMany([
      { workflow: ECHO, input: { n: 1 } },
      { workflow: 'nope' },
      { workflow: ECHO, input: { n: 2 }, idempotencyKey: 'k' },
      { workflow: ECHO, input: { n: Number.NaN } },
    ]);
    expect(answers.map((answer) => (answer instanceof FlotillaError ? answer.code : answer.status))).toEqual([
      'running',
      'WORKFLOW_NOT_FOUND',
      'running',
      'VALIDATION_FAILED',
    ]);
    expect(server.api.runs.size).toBe(2);
  });

  test('splits what is too much for one call', async () => {
    await client.registerWorkflow(ECHO);
    const answers = await client.startMany(
      Array.from({ length: 2500 }, (_, n) => ({ workflow: 'echo', input: { n } })),
    );
    expect(answers.some((answer) => answer instanceof FlotillaError)).toBe(false);
    expect(new Set([...server.api.runs.values()].map(({ view }) => JSON.stringify(view.input))).size).toBe(2500);
    expect(proxy.forwarded).toBe(4);
  });

  test('repeats the entries that may succeed later, and no others', async () => {
    let refusals = 0;
    server.api.before = (method) => {
      if (method !== 'createRuns' || refusals === 1) return;
      refusals += 1;
      throw new FlotillaError('STORAGE_FULL', 'full', { retryAfterMs: 10 });
    };
    const answers = await client.startMany([{ workflow: ECHO }, { workflow: 'nope' }]);
    expect(answers[0]).toMatchObject({ status: 'running' });
    expect(answers[1]).toMatchObject({ code: 'WORKFLOW_NOT_FOUND' });
  });
});

describe('wait', () => {
  beforeEach(async () => {
    await client.start(ECHO, {}, { runId: 'r1' });
  });

  /** Resolves when the server has been asked for something this many times more. */
  async function untilCalled(times: number): Promise<void> {
    const wanted = server.api.calls + times;
    await eventually(() => server.api.calls >= wanted, { timeoutMs: 10_000, intervalMs: 5, message: 'calls' });
  }

  test.each(['succeeded', 'failed', 'cancelled', 'timed-out'] as const)(
    'resolves when the run has %s',
    async (status) => {
      const waiting = client.wait('r1');
      await untilCalled(2);
      server.api.finish('r1', status, { x: 1 });
      expect(await waiting).toMatchObject({ runId: 'r1', status, output: { x: 1 } });
    },
  );

  test('resolves at once for a run that has ended', async () => {
    server.api.finish('r1', 'succeeded');
    expect((await client.wait('r1')).status).toBe('succeeded');
  });

  test('resolves when the event streams break again and again', async () => {
    const waiting = client.wait('r1');
    for (let times = 0; times < 3; times += 1) {
      await untilCalled(2);
      proxy.breakAll();
    }
    server.api.finish('r1', 'succeeded');
    expect((await waiting).status).toBe('succeeded');
  });

  test('resolves by looking alone where no event stream gets through', async () => {
    await server.app.close();
    server = await startTestServer({ maxEventStreams: 0 });
    await proxy.close();
    proxy = await startCuttingProxy(await server.listen());
    client = createClient({ url: proxy.url });
    await client.start(ECHO, {}, { runId: 'r1' });
    const waiting = client.wait('r1', { pollIntervalMs: 100 });
    await untilCalled(3);
    server.api.finish('r1', 'succeeded');
    expect((await within(waiting, 5000, 'a look at the run')).status).toBe('succeeded');
  });

  test('outlives a server that is away for a while', async () => {
    const waiting = client.wait('r1', { pollIntervalMs: 20 });
    await untilCalled(2);
    let refusals = 0;
    server.api.before = () => {
      refusals += 1;
      if (refusals <= 3) throw redisIsAway;
    };
    server.api.finish('r1', 'succeeded');
    expect((await within(waiting, 10_000, 'the answer of the server that is back')).status).toBe('succeeded');
    expect(refusals).toBeGreaterThan(0);
  });

  test.each([
    ['does not answer', 'hang'],
    ['is not there', 'gone'],
    ['answers that the run goes on', 'running'],
  ])('rejects at its time limit when the server %s', async (_what, how) => {
    if (how === 'hang') server.api.before = () => new Promise(() => undefined);
    if (how === 'gone') await proxy.close();
    const error = await within(errorOf(client.wait('r1', { timeoutMs: 300 })), 3000, 'the time limit');
    expect(error.code).toBe('DEADLINE_EXCEEDED');
  });

  test('rejects with RUN_NOT_FOUND for a run that does not exist, and for one that was pruned', async () => {
    expect((await errorOf(client.wait('nope'))).code).toBe('RUN_NOT_FOUND');
    const waiting = errorOf(client.wait('r1', { pollIntervalMs: 20 }));
    await untilCalled(2);
    server.api.runs.delete('r1');
    expect((await waiting).code).toBe('RUN_NOT_FOUND');
  });

  test('is given up by its signal', async () => {
    const controller = new AbortController();
    const waiting = errorOf(client.wait('r1', { signal: controller.signal }));
    await untilCalled(2);
    controller.abort();
    expect((await waiting).code).toBe('CALL_ABORTED');
  });

  test('tells every event once and in order before it resolves', async () => {
    const seen: HistoryEvent[] = [];
    const waiting = client.wait('r1', { onEvent: (event) => seen.push(event) });
    for (let index = 0; index < 4; index += 1) {
      await untilCalled(2);
      server.api.append('r1', { type: 'step-ready', stepId: `s${index}` });
      if (index % 2 === 0) proxy.breakAll();
    }
    server.api.finish('r1', 'succeeded');
    await waiting;
    expect(seen.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('rejects with what its listener throws', async () => {
    const listener = () => {
      throw new Error('listener failed');
    };
    await expect(client.wait('r1', { onEvent: listener, pollIntervalMs: 20 })).rejects.toThrow('listener failed');
  });
});

describe('events', () => {
  test('gives every event once and in order over broken connections, and ends with the run', async () => {
    await client.start(ECHO, {}, { runId: 'r1' });
    const seen: number[] = [];
    for await (const event of client.events('r1')) {
      seen.push(event.seq);
      if (event.seq < 5) server.api.append('r1', { type: 'step-ready', stepId: `s${event.seq}` });
      if (event.seq === 5) server.api.finish('r1', 'succeeded');
      if (event.seq === 1 || event.seq === 3) proxy.breakAll();
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('starts after an event, and ends when its reader turns away or its signal aborts', async () => {
    await client.start(ECHO, {}, { runId: 'r1' });
    for (let index = 0; index < 10; index += 1) server.api.append('r1', { type: 'step-ready', stepId: 's' });
    for await (const event of client.events('r1', { after: 7 })) {
      expect(event.seq).toBe(8);
      break;
    }
    const controller = new AbortController();
    const seen: number[] = [];
    for await (const event of client.events('r1', { after: 7, signal: controller.signal })) {
      seen.push(event.seq);
      if (event.seq === 10) controller.abort();
    }
    expect(seen).toEqual([8, 9, 10]);
  });

  test('polls where no event stream gets through', async () => {
    await server.app.close();
    server = await startTestServer({ maxEventStreams: 0 });
    client = createClient({ url: await server.listen(), retry: { initialMs: 5, maxMs: 20 } });
    await client.start(ECHO, {}, { runId: 'r1' });
    server.api.finish('r1', 'succeeded');
    const seen: number[] = [];
    for await (const event of client.events('r1')) seen.push(event.seq);
    expect(seen).toEqual([0, 1]);
  });

  test('throws for a run that does not exist', async () => {
    const read = async () => {
      for await (const event of client.events('nope')) throw new Error(`there is an event ${event.seq}`);
    };
    expect((await errorOf(read())).code).toBe('RUN_NOT_FOUND');
  });
});

describe('everything else', () => {
  test('reads, lists, cancels, pauses and resumes', async () => {
    for (const runId of ['a', 'b', 'c']) await client.start(ECHO, {}, { runId });
    expect((await client.get('a')).workflow).toBe('echo');
    expect((await client.list({ limit: 2 })).runs).toHaveLength(2);
    const all: string[] = [];
    for await (const run of client.listAll({ limit: 1 })) all.push(run.runId);
    expect(all).toEqual(['c', 'b', 'a']);
    expect((await client.steps('a')).steps).toHaveLength(1);
    const steps: string[] = [];
    for await (const step of client.allSteps('a')) steps.push(step.stepId);
    expect(steps).toEqual(['say']);
    expect((await client.pause('a')).status).toBe('paused');
    expect((await client.resume('a')).status).toBe('running');
    for (let index = 0; index < 9; index += 1) server.api.append('a', { type: 'step-ready', stepId: 's' });
    expect((await client.history('a', { after: 3, limit: 2 })).events.map(({ seq }) => seq)).toEqual([4, 5]);
    const history: number[] = [];
    for await (const event of client.allHistory('a', { limit: 4 })) history.push(event.seq);
    expect(history).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await client.checkpoints('a')).toEqual({ checkpoints: [] });
    server.api.finish('b', 'succeeded');
    expect((await client.cancel('b')).receipt.alreadyEnded).toBe(true);
    expect((await client.cancel('c', { waitMs: 20, reason: 'why' })).status).toBe('cancelling');
    expect(await client.agents()).toEqual([]);
    expect((await client.validate(ECHO)).ok).toBe(true);
    expect((await client.workflows()).workflows).toEqual([]);
    expect((await errorOf(client.workflow('nope', { version: '1.0.0' }))).code).toBe('WORKFLOW_NOT_FOUND');
  });

  test('sends its API key', async () => {
    await server.app.close();
    const apiKey = 'key-of-sixteen-characters';
    server = await startTestServer({ apiKeys: [apiKey] });
    const url = await server.listen();
    expect((await errorOf(createClient({ url }).list())).code).toBe('UNAUTHORIZED');
    expect((await createClient({ url, apiKey }).list()).runs).toEqual([]);
  });
});
