import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Fleet, type RunRecord, recordMachineTime, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const handlers = fileURLToPath(new URL('./fixtures/typed-errors.ts', import.meta.url));

/** Answers the first request of each path with a refusal, later ones with 200; says when each came. */
const requests = new Map<string, number[]>();
const refusals: Record<string, (response: ServerResponse) => void> = {
  '/seconds': (response) => response.writeHead(429, { 'retry-after': '2' }).end(),
  '/date': (response) =>
    response
      .writeHead(503, { 'retry-after': new Date(Math.ceil(Date.now() / 1000) * 1000 + 2000).toUTCString() })
      .end(),
  '/quota': (response) =>
    response
      .writeHead(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 2) })
      .end(),
};
const server = createServer((request, response) => {
  const path = request.url ?? '';
  const times = requests.get(path) ?? [];
  requests.set(path, [...times, Date.now()]);
  if (times.length === 0 && refusals[path] !== undefined) refusals[path](response);
  else response.end('fine');
});

let fleet: Fleet;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workerEnv: { FLOTILLA_HANDLERS: handlers, FLOTILLA_HTTP_ALLOW: '127.0.0.1' },
  });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
  server.closeAllConnections();
  server.close();
});

const urlOf = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
const define = (steps: object) => ({ definition: { flotilla: 1, name: 'errors', failFast: false, steps } });
const charge = (answer: string) => ({ kind: 'task', use: 'charge', input: { answer } });
const stepOf = ({ steps }: RunRecord, id: string) => steps.find(({ stepId }) => stepId === id)!;
const startsOf = ({ events }: RunRecord, id: string) =>
  events.filter(({ type, stepId }) => type === 'attempt-started' && stepId === id).map(({ at }) => at);

describe('errors of handlers', () => {
  test('do what their class, or a rule of the module, says', async () => {
    const record = await fleet.api.runToEnd(
      define(Object.fromEntries(['paid', 'declined', 'busy', 'deadlock', 'quota'].map((id) => [id, charge(id)]))),
    );
    expect(stepOf(record, 'paid')).toMatchObject({ status: 'succeeded', attempts: 1 });
    expect(stepOf(record, 'declined')).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { type: 'non_retryable', code: 'CARD_DECLINED' },
    });
    expect(stepOf(record, 'deadlock')).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { type: 'non_retryable', code: 'DEADLOCK' },
    });
    expect(stepOf(record, 'busy').output).toEqual({ attempts: 2 });
    expect(stepOf(record, 'quota').output).toEqual({ attempts: 2 });
    const waitsOf = (id: string) => startsOf(record, id)[1]! - startsOf(record, id)[0]!;
    expect(waitsOf('busy')).toBeGreaterThanOrEqual(1000);
    expect(waitsOf('quota')).toBeGreaterThanOrEqual(1500);
  });
});

describe('a rate limit', () => {
  test.each(['seconds', 'date', 'quota'])(
    'told in %s slows the step that hit it, and no other',
    async (path) => {
      const get = (of: string) => ({ kind: 'http', request: { url: urlOf(of) } });
      const others = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`other${index}`, get('/free')]));
      const machine = recordMachineTime();
      const record = await fleet.api.runToEnd(define({ limited: get(`/${path}`), ...others }));
      const [first, second, ...more] = requests.get(`/${path}`)!;
      expect(more).toEqual([]);
      expect(second! - first!).toBeGreaterThanOrEqual(1950);
      expect(machine.between(first!, second!)).toBeLessThan(8000);
      machine.stop();
      expect(record.run.status).toBe('succeeded');
      expect(stepOf(record, 'limited').attempts).toBe(2);
      for (const id of Object.keys(others)) {
        expect(stepOf(record, id)).toMatchObject({ status: 'succeeded', attempts: 1 });
        // By its start: how long the machine takes for it says nothing of the limit.
        expect(startsOf(record, id)[0]!).toBeLessThan(startsOf(record, 'limited')[1]!);
      }
    },
    30_000,
  );
});
