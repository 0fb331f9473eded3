import { type DeadLetterView, FlotillaError } from '@flotilla/contracts';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { redisIsAway, startTestServer, type TestServer } from '../testing/start-test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server.app.close();
});

function letter(runId: string, stepId: string): DeadLetterView {
  return {
    id: `${runId}/${stepId}`,
    ...{ runId, stepId, workflow: 'orders', reason: 'failed', attempts: 3, failedAt: 1, deadSince: 2, opening: 1 },
    error: { type: 'non_retryable', code: 'DECLINED', message: 'no' },
  };
}

describe('GET /v1/dead-letters', () => {
  test('passes the filter on and answers a page', async () => {
    server.api.deadLetters = [letter('r1', 'pay'), letter('r1', 'ship')];
    const query = 'workflow=orders&errorCode=DECLINED&reason=failed&since=5&until=9&limit=1';
    const { status, body } = await server.send('GET', `/v1/dead-letters?${query}`);
    expect([status, body]).toEqual([200, { deadLetters: [letter('r1', 'pay')], cursor: '1' }]);
    expect(server.api.acts).toEqual([
      { workflow: 'orders', errorCode: 'DECLINED', reason: 'failed', since: 5, until: 9, limit: 1 },
    ]);
  });

  test.each(['reason=tired', 'since=yesterday', 'until=-1', 'limit=0', 'limit=501', 'colour=red', 'workflow=a/b'])(
    'refuses ?%s',
    async (query) => {
      const { status, problem } = await server.send('GET', `/v1/dead-letters?${query}`);
      expect([status, problem.code]).toEqual([400, 'VALIDATION_FAILED']);
    },
  );
});

test('GET /v1/dead-letters/{runId}/{stepId} shows one, or says that it is none', async () => {
  server.api.deadLetters = [letter('r1', 'pay')];
  expect((await server.send('GET', '/v1/dead-letters/r1/pay')).body).toMatchObject(letter('r1', 'pay'));
  const { status, problem } = await server.send('GET', '/v1/dead-letters/r1/ship');
  expect([status, problem.code]).toEqual([404, 'DEAD_LETTER_NOT_FOUND']);
});

describe('one', () => {
  beforeEach(() => {
    server.api.deadLetters = [letter('r1', 'pay')];
  });

  test('is redriven, with and without a body', async () => {
    const answer = { id: 'r1/pay', runId: 'r1', stepId: 'pay', outcome: 'redriven', status: 'pending', opening: 2 };
    expect((await server.send('POST', '/v1/dead-letters/r1/pay/redrive')).body).toEqual(answer);
    expect((await server.send('POST', '/v1/dead-letters/r1/pay/redrive', { opening: 1 })).body).toEqual(answer);
    expect(server.api.acts).toEqual([undefined, 1].map((opening) => ({ redrive: 'r1', stepIds: ['pay'], opening })));
    const later = await server.send('POST', '/v1/dead-letters/r1/pay/redrive', { opening: 2 });
    expect(later.body).toMatchObject({ outcome: 'already-redriven', status: 'pending' });
    expect((await server.send('GET', '/metrics')).text).toContain('flotilla_dead_letters_total{action="redrive"} 2');
  });

  test('of a compensated run tells what is made again, and with dryRun does nothing', async () => {
    const counts = { again: 2, newKeys: 1, first: 0, undone: 1, failedCleanups: 0 };
    const plan = { counts, steps: [], leftFailed: [], undone: [], failedCleanups: [] };
    server.api.plan = plan;
    const dry = await server.send('POST', '/v1/dead-letters/r1/pay/redrive', { dryRun: true });
    expect(dry.body).toMatchObject({ outcome: 'matched', status: 'failed', opening: 2, plan });
    const bulk = await server.send('POST', '/v1/dead-letters/redrive', { all: true, dryRun: true });
    expect(bulk.body).toMatchObject({ counts: { matched: 1 }, items: [{ outcome: 'matched', again: counts }] });
    expect(server.api.acts.filter((act) => 'redrive' in (act as object))).toEqual([]);
    expect((await server.send('POST', '/v1/dead-letters/r1/pay/redrive')).body).toMatchObject({
      outcome: 'redriven',
      plan,
    });
  });

  test('is discarded', async () => {
    const { body } = await server.send('POST', '/v1/dead-letters/r1/pay/discard');
    expect(body).toEqual({ id: 'r1/pay', runId: 'r1', stepId: 'pay', outcome: 'discarded' });
  });

  test.each([{ opening: 0 }, { opening: 'x' }, { from: 'pay' }])('refuses %j', async (body) => {
    const { problem } = await server.send('POST', '/v1/dead-letters/r1/pay/redrive', body);
    expect(problem.code).toBe('VALIDATION_FAILED');
  });

  test('of a store that is away may or may not have been redriven', async () => {
    server.api.before = () => {
      throw redisIsAway;
    };
    const { status, problem } = await server.send('POST', '/v1/dead-letters/r1/pay/redrive');
    expect([status, problem.code, problem.ambiguous]).toEqual([503, 'REDIS_UNAVAILABLE', true]);
  });
});

describe('many', () => {
  const MANY = [letter('r1', 'pay'), letter('r1', 'ship'), letter('r2', 'pay'), letter('r3', 'pay')];
  const redrives = () => server.api.acts.filter((act) => 'redrive' in (act as object));
  beforeEach(() => {
    server.api.deadLetters = MANY;
  });

  test('are redriven run by run, the oldest first, and told one by one', async () => {
    const { status, body } = await server.send('POST', '/v1/dead-letters/redrive', { workflow: 'orders' });
    expect(status).toBe(200);
    expect(server.api.acts).toEqual([
      { workflow: 'orders', limit: 100, order: 'oldest', wholeRuns: true, cursor: undefined },
      { redrive: 'r1', stepIds: ['pay', 'ship'], opening: 1 },
      { redrive: 'r2', stepIds: ['pay'], opening: 1 },
      { redrive: 'r3', stepIds: ['pay'], opening: 1 },
    ]);
    expect(body).toEqual({
      dryRun: false,
      counts: { redriven: 4 },
      items: MANY.map(({ id, runId, stepId }) => ({
        ...{ id, runId, stepId, outcome: 'redriven', status: 'pending', opening: 2 },
      })),
      more: false,
    });
  });

  test('are counted with dryRun, and nothing is done', async () => {
    const { body } = await server.send('POST', '/v1/dead-letters/redrive', { all: true, dryRun: true, limit: 2 });
    expect(body).toMatchObject({ dryRun: true, counts: { matched: 2 }, more: true });
    expect(redrives()).toEqual([]);
  });

  test('do not hinder each other: what is wrong with one is told of it', async () => {
    let redriven = 0;
    server.api.before = (method) => {
      if (method !== 'redriveDeadLetters') return;
      redriven += 1;
      if (redriven === 2) throw new FlotillaError('RUN_NOT_FOUND', 'there is no run r2');
    };
    const { body } = await server.send('POST', '/v1/dead-letters/redrive', { all: true });
    expect(body).toMatchObject({ counts: { redriven: 3, failed: 1 } });
    const items = body['items'] as { outcome: string; error?: object }[];
    expect(items[2]).toMatchObject({ outcome: 'failed', error: { code: 'RUN_NOT_FOUND' } });
  });

  test('that somebody discards meanwhile are not said to be redriven', async () => {
    server.api.discardedMeanwhile.add('r1/ship');
    const { body } = await server.send('POST', '/v1/dead-letters/redrive', { all: true });
    expect(body).toMatchObject({ counts: { redriven: 3, 'already-discarded': 1 } });
    expect((body['items'] as object[])[1]).toEqual({
      ...{ id: 'r1/ship', runId: 'r1', stepId: 'ship', outcome: 'already-discarded' },
    });
  });

  test('are told of although one of them meets an error that nobody has foreseen', async () => {
    let redriven = 0;
    server.api.before = (method) => {
      redriven += method === 'redriveDeadLetters' ? 1 : 0;
      if (method === 'redriveDeadLetters' && redriven === 2) throw new TypeError('secret');
    };
    const { status, body } = await server.send('POST', '/v1/dead-letters/redrive', { all: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({ counts: { redriven: 3, failed: 1 } });
    expect((body['items'] as object[])[2]).toMatchObject({ outcome: 'failed', error: { code: 'INTERNAL' } });
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  test('are left when the store is away', async () => {
    server.api.before = (method) => {
      if (method === 'redriveDeadLetters') throw redisIsAway;
    };
    const { body } = await server.send('POST', '/v1/dead-letters/redrive', { all: true });
    expect(body).toMatchObject({ counts: { failed: 2, 'not-tried': 2 } });
  });

  test('are discarded', async () => {
    const { body } = await server.send('POST', '/v1/dead-letters/discard', { stepId: 'pay' });
    expect(body).toMatchObject({ counts: { discarded: 4 } });
    expect(server.api.acts).toContainEqual({ discard: 'r1', stepIds: ['pay', 'ship'], opening: 1 });
  });

  test.each([
    [{}],
    [{ limit: 5 }],
    [{ all: false }],
    [{ dryRun: true }],
    [{ all: true, limit: 1001 }],
    [{ all: true, limit: 0 }],
    [{ workflow: 'orders', colour: 'red' }],
    [undefined],
  ])('are not meant by %j', async (body) => {
    const { status, problem } = await server.send('POST', '/v1/dead-letters/redrive', body);
    expect([status, problem.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(server.api.acts).toEqual([]);
  });

  test('are opened no faster than fifty runs a second', async () => {
    server.api.deadLetters = Array.from({ length: 26 }, (_, index) => letter(`r${index}`, 'pay'));
    const started = performance.now();
    await server.send('POST', '/v1/dead-letters/redrive', { all: true });
    expect(redrives()).toHaveLength(26);
    expect(performance.now() - started).toBeGreaterThan(490);
  });

  test('that are not done when the scheduler stops are left, and said to be', async () => {
    server.api.deadLetters = Array.from({ length: 100 }, (_, index) => letter(`r${index}`, 'pay'));
    const answer = server.send('POST', '/v1/dead-letters/redrive', { all: true });
    while (redrives().length === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.app.close();
    const { counts } = (await answer).body as { counts: Record<string, number> };
    expect(counts['not-tried']).toBeGreaterThan(0);
    expect(counts['redriven']! + counts['not-tried']!).toBe(100);
  });
});
