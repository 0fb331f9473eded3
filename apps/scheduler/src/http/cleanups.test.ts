import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.app.close());

describe('failed cleanups', () => {
  test('are listed page by page', async () => {
    const run = (runId: string) => ({
      ...{ runId, workflow: 'shop', status: 'failed' as const, endedAt: 1, failed: 1, left: 0, cleanups: [] },
    });
    server.api.failedCleanups = [run('r1'), run('r2')];
    const { body } = await server.send('GET', '/v1/cleanups/failed?limit=1');
    expect(body).toMatchObject({ runs: [{ runId: 'r1' }], cursor: expect.any(String) });
  });

  test('are made again, and counted; the second time is told', async () => {
    const path = '/v1/runs/r1/cleanups/3/retry';
    expect((await server.send('POST', path)).body).toEqual({ runId: 'r1', number: 3, alreadyRetried: false });
    expect((await server.send('POST', path)).body).toEqual({ runId: 'r1', number: 3, alreadyRetried: true });
    expect((await server.send('GET', '/metrics')).text).toContain('flotilla_cleanup_retries_total 1');
  });

  test.each(['x', '-1', '99999999'])('have no number %s', async (number) => {
    const { status, problem } = await server.send('POST', `/v1/runs/r1/cleanups/${number}/retry`);
    expect([status, problem.code]).toEqual([400, 'VALIDATION_FAILED']);
  });
});
