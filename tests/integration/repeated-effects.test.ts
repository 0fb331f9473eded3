import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** What the receiver answers to the first effects of a key; `commit` from then on. */
const FATES: readonly string[] = ['fail', 'die'];

let fleet: Fleet;
let receiver: Server;
let url: string;
/** Amounts by key, in the order in which they came in. */
const received = new Map<string, number[]>();

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk as string;
    const { key, amount } = JSON.parse(text) as { key: string; amount: number };
    const before = received.get(key) ?? [];
    received.set(key, [...before, amount]);
    const isMapItem = key.includes('[');
    response.end(JSON.stringify({ fate: (isMapItem ? FATES.slice(0, 1) : FATES)[before.length] ?? 'commit' }));
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: 2,
    workerEnv: { FLOTILLA_HANDLERS: new URL('./fixtures/charging-handlers.ts', import.meta.url).pathname },
  });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

describe('G4 effects in the outside world', () => {
  test('G4 repeat when an attempt fails or its worker dies before the commit, always with the key run/step', async () => {
    const retry = { maxAttempts: 3, initialMs: 10 };
    const charge = { kind: 'task', use: 'charge', retry };
    const definition = {
      flotilla: 1,
      name: 'charges',
      steps: {
        one: { ...charge, input: { url, amount: 5 } },
        each: {
          kind: 'map',
          over: '[7, 8]',
          as: 'amount',
          needs: ['one'],
          each: { ...charge, input: { url, amount: '${{ amount }}' } },
        },
      },
    };
    const { run } = await fleet.api.runToEnd({ definition }, 40_000);
    expect(run.status).toBe('succeeded');
    // A receiver that drops what it knows the key of has each effect once.
    expect([...received].sort()).toEqual(
      [
        [`${run.runId}/each[0]`, [7, 7]],
        [`${run.runId}/each[1]`, [8, 8]],
        [`${run.runId}/one`, [5, 5, 5]],
      ].sort(),
    );
  }, 60_000);
});
