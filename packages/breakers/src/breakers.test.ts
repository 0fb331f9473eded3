import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Breakers, type CallOutcome, type CallPass } from './breakers.ts';
import { FleetBreakers } from './fleet-breakers.ts';
import { ReturnSpread, returnSpreadMs, SHORTEST_RETURN_MS } from './return-spread.ts';

const namespace = testNamespace(import.meta.url);
const keys = {
  breakers: `{${namespace}}:breakers`,
  breakersSeen: `{${namespace}}:breakers:seen`,
  channel: `${namespace}:breakers`,
  retriesOf: (name: string) => `{${namespace}}:retries:${name}`,
};
const settings = { minimumCalls: 5, errorRate: 0.5, probeIntervalMs: 40, probeTimeoutMs: 500, rampCalls: 1 };

let connection: RedisConnection;
let fleet: FleetBreakers;
const made: Breakers[] = [];
let count = 0;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  fleet = new FleetBreakers(connection.client, keys);
});
afterEach(() => {
  for (const breakers of made.splice(0)) breakers.close();
});
afterAll(() => closeConnection(connection));

function createBreakers({ isAway = false } = {}): Breakers {
  const away = new Error('connect ECONNREFUSED');
  Object.assign(away, { code: 'ECONNREFUSED' });
  const client = isAway
    ? (new Proxy({}, { get: () => () => Promise.reject(away) }) as RedisConnection['client'])
    : connection.client;
  const breakers = new Breakers({ client, keys, settings, onError: () => undefined });
  made.push(breakers);
  return breakers;
}

const newName = () => `dependency-${count++}`;
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let owners = 0;

async function enter(breakers: Breakers, name: string): Promise<CallPass | undefined> {
  const admission = await breakers.admit(name, `owner-${owners}`, `step-${owners++}`);
  return 'pass' in admission ? admission.pass : undefined;
}

async function callAll(breakers: Breakers, name: string, ...outcomes: CallOutcome[]): Promise<void> {
  for (const outcome of outcomes) await (await enter(breakers, name))!.settle(outcome);
}

const failures = (n: number) => Array.from({ length: n }, (): CallOutcome => 'failure');
const successes = (n: number) => Array.from({ length: n }, (): CallOutcome => 'success');
const isOpen = (breakers: Breakers, name: string) => breakers.parkMsIfOpen(name) !== undefined;

describe("a worker's breakers", () => {
  test('ORIGIN 4: 5 failures among 201 calls do not open one: a rate over a window counts, with a least number of calls', async () => {
    const breakers = createBreakers();
    const many = newName();
    await callAll(breakers, many, ...successes(196), ...failures(5));
    expect(isOpen(breakers, many)).toBe(false);
    const few = newName();
    await callAll(breakers, few, ...failures(4));
    expect(isOpen(breakers, few)).toBe(false);
    await callAll(breakers, few, 'failure');
    expect(isOpen(breakers, few)).toBe(true);
  });

  test('ORIGIN 4: cancelled calls do not count, nor do refusals', async () => {
    const breakers = createBreakers();
    const name = newName();
    const nothing = Array.from({ length: 20 }, (_, n): CallOutcome => (n % 2 === 0 ? 'ignored' : 'answered'));
    await callAll(breakers, name, ...nothing, ...failures(4));
    expect(isOpen(breakers, name)).toBe(false);
    await callAll(breakers, name, 'failure');
    expect(isOpen(breakers, name)).toBe(true);
  });

  test('PAINS L14: a success whose call began before it opened does not close one', async () => {
    const breakers = createBreakers();
    const name = newName();
    const late = (await enter(breakers, name))!;
    await callAll(breakers, name, ...failures(5));
    await pass(settings.probeIntervalMs + 5);
    const probe = await enter(breakers, name);
    await late.settle('success');
    expect(isOpen(breakers, name)).toBe(true);
    await probe!.settle('failure');
    expect(isOpen(breakers, name)).toBe(true);
  });

  test('PAINS L13: a probe that hangs does not keep one half-open', async () => {
    const breakers = createBreakers();
    const name = newName();
    await callAll(breakers, name, ...failures(5));
    await pass(settings.probeIntervalMs + 5);
    expect(await enter(breakers, name)).toBeDefined();
    expect(await enter(breakers, name)).toBeUndefined();
    await pass(settings.probeTimeoutMs + 5);
    expect(await enter(breakers, name)).toBeDefined();
  });

  test('PAINS L15: a call that fails touches no other: those that run end as they end', async () => {
    const breakers = createBreakers();
    const name = newName();
    const calls = await Promise.all(Array.from({ length: 10 }, () => enter(breakers, name)));
    await Promise.all(calls.map((call, index) => call!.settle(index === 0 ? 'failure' : 'success')));
    expect(isOpen(breakers, name)).toBe(false);
    expect(await enter(breakers, name)).toBeDefined();
  });

  test('open for all workers when one has seen too much, as soon as they have heard', async () => {
    const [one, other] = [createBreakers(), createBreakers()];
    const name = newName();
    await callAll(other, name, 'success');
    await callAll(one, name, ...failures(5));
    expect(isOpen(other, name)).toBe(false);
    expect(await other.parkMsOfFailure(name)).toBeGreaterThan(0);
    const third = createBreakers();
    await third.refresh();
    expect(isOpen(third, name)).toBe(true);
  });

  test('go on when a person closes one, with nothing held against the dependency', async () => {
    const breakers = createBreakers();
    const name = newName();
    await callAll(breakers, name, ...failures(5));
    await fleet.close(name);
    await breakers.refresh();
    await callAll(breakers, name, ...failures(4));
    expect(isOpen(breakers, name)).toBe(false);
  });

  test('decide alone while Redis is away: calls flow, open, are tested one at a time, and close', async () => {
    const breakers = createBreakers({ isAway: true });
    const name = newName();
    await callAll(breakers, name, ...failures(5));
    expect(isOpen(breakers, name)).toBe(true);
    await pass(settings.probeIntervalMs + 10);
    const calls = await Promise.all([enter(breakers, name), enter(breakers, name)]);
    const [probe, ...others] = calls.filter((call) => call !== undefined);
    expect(others).toEqual([]);
    await probe!.settle('success');
    await callAll(breakers, name, 'success');
    expect(isOpen(breakers, name)).toBe(false);
  }, 30_000);

  test('keep a bounded number of windows, however many dependencies there are', async () => {
    const breakers = createBreakers();
    for (let n = 0; n < 1200; n += 1) await callAll(breakers, `many-${n}`, 'success');
    const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    expect(timers).toBeLessThan(600);
  });
});

describe('retries of the steps behind a breaker', () => {
  test('beyond the budget wait for places one after the other: none fails, and none comes with another', async () => {
    const breakers = new Breakers({
      ...{ client: connection.client, keys, onError: () => undefined },
      settings: { retries: { windowMs: 12_000, share: 0.2, minimum: 5 } },
    });
    made.push(breakers);
    const name = newName();
    for (let n = 0; n < 50; n += 1) breakers.noteFirstTry(name);
    const waits: number[] = [];
    for (let n = 0; n < 30; n += 1) waits.push(await breakers.spendRetry(name));
    // A fifth of fifty first tries.
    expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
    const later = waits.slice(10);
    const gaps = later.slice(1).map((wait, index) => wait - later[index]!);
    expect(Math.min(...gaps)).toBeGreaterThan(900);
    expect(await connection.client.pttl(keys.retriesOf(name))).toBeGreaterThan(0);
  });
});

describe('what comes back from behind a breaker', () => {
  test.each([40, 250, 1000, 5000])('is spread: no second has a twentieth of %d steps', (steps) => {
    const spread = new ReturnSpread();
    const overMs = returnSpreadMs(steps);
    const seconds = new Map<number, number>();
    for (let n = 0; n < steps; n += 1) {
      const second = Math.floor(spread.next(1, overMs) / 1000);
      seconds.set(second, (seconds.get(second) ?? 0) + 1);
    }
    expect(Math.max(...seconds.values())).toBeLessThanOrEqual(steps * 0.05);
    expect(overMs).toBeGreaterThanOrEqual(SHORTEST_RETURN_MS);
  });

  test('begins with one that comes at once, for each moment anew: it tests the way back', () => {
    const spread = new ReturnSpread();
    expect([spread.next(1, 1000), spread.next(1, 1000), spread.next(2, 1000)]).toEqual([0, 618, 0]);
  });
});
