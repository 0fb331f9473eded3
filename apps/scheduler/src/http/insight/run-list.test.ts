import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ECHO, startTestServer, type TestServer } from '../testing/start-test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server.app.close();
});

const list = (query: string) => server.send('GET', `/v1/runs?${query}`);

describe('GET /v1/runs', () => {
  test('adds counts when they are asked for, and not otherwise', async () => {
    await server.send('POST', '/v1/runs', { definition: ECHO });
    expect((await list('counts=true')).body).toMatchObject({ counts: { status: { pending: 1 } } });
    expect((await list('counts=false')).body).not.toHaveProperty('counts');
    expect((await list('')).body).not.toHaveProperty('counts');
  });

  test('answers with the run of an id alone, and refuses an id beside other filters', async () => {
    const { body } = await server.send('POST', '/v1/runs', { definition: ECHO });
    expect((await list(`id=${body['runId'] as string}`)).body).toMatchObject({ runs: [{ runId: body['runId'] }] });
    expect((await list('id=nobody')).body).toEqual({ runs: [] });
    const { status, problem } = await list('id=nobody&status=failed&workflow=echo');
    expect(status).toBe(400);
    expect(problem.problems?.map(({ path }) => path).sort()).toEqual(['/status', '/workflow']);
  });

  test.each([
    ['waiting=Queued', '/waiting'],
    ['waiting=breaker:', '/waiting'],
    ['waiting=breaker:a%7Cb', '/waiting'],
    ['error=xyz', '/error'],
    ['error=0123456789ABCDEF', '/error'],
    ['from=yesterday', '/from'],
    ['to=-1', '/to'],
    ['counts=yes', '/counts'],
    ['tag=a%20b', '/tag'],
    [`id=${'x'.repeat(257)}`, '/id'],
  ])('refuses %s and says where', async (query, path) => {
    const { status, problem } = await list(query);
    expect(status).toBe(400);
    expect(problem.problems).toMatchObject([{ path }]);
  });
});

describe('POST /v1/errors/{fingerprint}/resolve', () => {
  test('answers 404 to a group that nobody knows, and 400 to what is no fingerprint', async () => {
    const unknown = await server.send('POST', '/v1/errors/0123456789abcdef/resolve');
    expect([unknown.status, unknown.problem.code]).toEqual([404, 'ERROR_GROUP_NOT_FOUND']);
    expect((await server.send('POST', '/v1/errors/1/resolve')).status).toBe(400);
  });
});
