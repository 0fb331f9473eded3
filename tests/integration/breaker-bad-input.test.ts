import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const INTERVAL_MS = 500;
const BAD_RUNS = 3;
const GOOD_RUNS = 5;
const MAX_ATTEMPTS = 3;
/** Bad calls between two good ones: each bad step once, and those under way when the breaker opened. */
const MAX_BAD_TRIALS = 2 * BAD_RUNS;

let fleet: Fleet;
let server: Server;
let url: string;
const calls: string[] = [];
beforeAll(async () => {
  // Answers one customer with 500 and all others with 200.
  server = createServer((request, response) => {
    const id = new URL(request.url ?? '/', url).searchParams.get('id') ?? '';
    calls.push(id);
    response.writeHead(id === 'bad' ? 500 : 200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    workerEnv: { FLOTILLA_HTTP_ALLOW: new URL(url).host, FLOTILLA_BREAKER_PROBE_INTERVAL_MS: String(INTERVAL_MS) },
  });
}, 90_000);
afterAll(async () => {
  await fleet.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const runOf = (id: string) => ({
  definition: {
    flotilla: 1,
    name: 'customers',
    steps: {
      s: {
        kind: 'http',
        breaker: 'crm',
        request: { url: `${url}?id=${id}` },
        retry: { maxAttempts: MAX_ATTEMPTS, initialMs: 100, jitter: 'none' },
      },
    },
  },
});

async function parkedBehindCrm(): Promise<number> {
  const { breakers } = await fleet.api.get<{ breakers: { name: string; parked: number }[] }>('/v1/breakers');
  return breakers.find(({ name }) => name === 'crm')?.parked ?? 0;
}

test('a request that is bad in itself keeps a healthy dependency closed to nobody, and is charged once others have been answered', async () => {
  const bad = await Promise.all(Array.from({ length: BAD_RUNS }, () => fleet.api.start(runOf('bad'))));
  await eventually(async () => (await parkedBehindCrm()) > 0, { timeoutMs: 30_000, message: 'the breaker to open' });
  const good = await Promise.all(Array.from({ length: GOOD_RUNS }, (_, n) => fleet.api.start(runOf(`n${n}`))));
  const firstCall = calls.length;
  await fleet.api.waitForEnd(
    good.map(({ runId }) => runId),
    { timeoutMs: 120_000 },
  );
  for (const { runId } of good) expect(await fleet.api.run(runId)).toMatchObject({ status: 'succeeded' });
  const untilGood = calls.slice(firstCall).findIndex((id) => id !== 'bad');
  expect(untilGood).toBeLessThanOrEqual(MAX_BAD_TRIALS);

  await fleet.api.waitForEnd(
    bad.map(({ runId }) => runId),
    { timeoutMs: 240_000 },
  );
  for (const { runId } of bad) {
    const { run, steps } = await fleet.api.record(runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'HTTP_STEP_FAILED' } });
    expect(steps).toMatchObject([{ attempts: MAX_ATTEMPTS }]);
  }
}, 400_000);
