import { expect, test } from '@jest/globals';
import { ECHO, startTestServer } from '../testing/start-test-server.ts';

test('while there is no room for runs, starts are refused with a typed 503 and Retry-After, and nothing else is', async () => {
  let full = true;
  const { send, app } = await startTestServer({}, { refusesRuns: () => full });
  for (const [url, body] of [
    ['/v1/runs', { definition: ECHO }],
    ['/v1/runs/batch', { runs: [{ definition: ECHO }] }],
  ] as const) {
    const { status, headers, problem } = await send('POST', url, body);
    expect([status, problem.code, problem.retryAfterMs, headers['retry-after']]).toEqual([
      503,
      'STORAGE_FULL',
      5000,
      '5',
    ]);
  }
  expect((await send('GET', '/v1/runs')).status).toBe(200);
  full = false;
  expect((await send('POST', '/v1/runs', { definition: ECHO })).status).toBe(201);
  await app.close();
});
