import { within } from '@flotilla/testing';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ECHO, redisIsAway, startTestServer, type TestServer } from './testing/start-test-server.ts';

let server: TestServer;
afterEach(async () => {
  await server.app.close();
});

describe('/readyz', () => {
  test('answers 200 while Redis answers and the loops move', async () => {
    server = await startTestServer();
    expect(await server.send('GET', '/readyz')).toMatchObject({ status: 200, body: { ok: true, redisLatencyMs: 1 } });
  });

  test('answers 503 with the reason when Redis does not, while /healthz stays at 200', async () => {
    server = await startTestServer();
    server.api.before = () => {
      throw redisIsAway;
    };
    const { status, problem } = await server.send('GET', '/readyz');
    expect(status).toBe(503);
    expect(problem).toMatchObject({ code: 'REDIS_UNAVAILABLE', problems: [{ code: 'REDIS_UNAVAILABLE' }] });
    expect((await server.send('GET', '/healthz')).status).toBe(200);
  });

  test('answers within 2 s when Redis hangs', async () => {
    server = await startTestServer();
    server.api.before = () => new Promise(() => undefined);
    expect((await within(server.send('GET', '/readyz'), 2000, 'an answer')).status).toBe(503);
  });

  test('answers 503 when a loop does not move', async () => {
    const stalled = { code: 'LOOP_STALLED', path: '/loops/fire-due', message: 'fire-due has not turned for 20 s' };
    server = await startTestServer({}, { findLoopProblems: () => [stalled] });
    const { status, problem } = await server.send('GET', '/readyz');
    expect([status, problem.problems]).toEqual([503, [stalled]]);
  });
});

test('/metrics counts runs and requests by route and status', async () => {
  server = await startTestServer();
  await server.send('POST', '/v1/runs', { definition: ECHO });
  await server.send('GET', '/v1/runs/nope');
  const { text, headers } = await server.send('GET', '/metrics');
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(text).toContain('flotilla_runs_started_total{deduplicated="false"} 1\n');
  expect(text).toContain('flotilla_http_requests_total{method="GET",route="/v1/runs/:runId",status="404"} 1\n');
  expect(text).toMatch(/flotilla_http_requests_in_flight \d+\n/);
});
