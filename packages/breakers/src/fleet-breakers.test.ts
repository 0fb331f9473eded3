import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, startStopwatch, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { judgeBreaker } from './breaker-record.ts';
import { FleetBreakers } from './fleet-breakers.ts';

const settings = { probeIntervalMs: 40, probeTimeoutMs: 60, rampCalls: 2 };
/** Trials that come soon, and whose time does not run out on a busy machine. */
const patient = { ...settings, probeTimeoutMs: 20_000 };
/** Where a test is not about time running out. */
const calm = { ...settings, probeIntervalMs: 20_000, probeTimeoutMs: 20_000 };

let connection: RedisConnection;
let fleet: FleetBreakers;
let count = 0;
let name = '';
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  const namespace = testNamespace(import.meta.url);
  fleet = new FleetBreakers(connection.client, {
    breakers: `{${namespace}}:breakers`,
    breakersSeen: `{${namespace}}:breakers:seen`,
    channel: `${namespace}:breakers`,
    retriesOf: (breaker) => `{${namespace}}:retries:${breaker}`,
  });
});
beforeEach(() => {
  name = `dependency-${count++}`;
});
afterAll(() => closeConnection(connection));

/** On Redis' clock, which nobody can move. */
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const trialOf = (owner: string) => ({ owner, step: `step of ${owner}` });

/** Asks until it is answered otherwise than by waiting. */
async function untilAdmitted(owner: string, given = settings): Promise<'go' | 'trial'> {
  for (;;) {
    const { answer } = await fleet.begin(name, owner, given);
    if (answer !== 'wait') return answer;
    await pass(5);
  }
}

describe('the breakers that are kept', () => {
  test('are not more than ten thousand, whoever opens them', async () => {
    const key = `{${testNamespace(import.meta.url)}}:full`;
    const unused = (_: string) => key;
    const full = new FleetBreakers(connection.client, {
      ...{ breakers: key, breakersSeen: `${key}:seen`, channel: key, retriesOf: unused },
    });
    const count = () => connection.client.hlen(key);
    const record = JSON.stringify({ state: 'closed', since: 1, generation: 1, trials: {} });
    const names = Array.from({ length: 10_000 }, (_, index) => `known-${index}`);
    await connection.client.hset(key, Object.fromEntries(names.map((known) => [known, record])));
    await expect(full.open('new')).rejects.toMatchObject({ code: 'TOO_MANY_BREAKERS' });
    expect((await full.trip('new', 0, 'failed', settings)).answer).toBe('stale');
    expect((await full.begin('new', 'owner', settings)).answer).toBe('go');
    expect(await count()).toBe(10_000);
    // Those that are there already work as ever.
    expect((await full.open('known-7')).record.manual).toBe(true);
    await connection.client.hdel(key, 'known-8');
    expect((await full.open('new')).record.state).toBe('open');
    await connection.client.del(key, `${key}:seen`);
  });

  test('are not more for a close of a name that nobody has used', async () => {
    expect((await fleet.close(name)).record.state).toBe('closed');
    expect((await fleet.readOne(name)).record).toBeUndefined();
  });
});

describe('the breaker of the fleet', () => {
  test('lets one caller of many test the way back', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    await pass(settings.probeIntervalMs + 5);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => fleet.begin(name, `w${n}`, calm)));
    expect(answers.filter(({ answer }) => answer === 'trial')).toHaveLength(1);
  });

  test('ORIGIN 4: hung probes do not wedge it half-open: their time ends, and another tests the way back', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    expect(await untilAdmitted('hangs')).toBe('trial');
    expect(await untilAdmitted('next', patient)).toBe('trial');
    // What the hung one brings now does not count.
    expect((await fleet.end(name, trialOf('hangs'), 'success', settings)).answer).toBe('stale');
    expect((await fleet.end(name, trialOf('next'), 'success', patient)).record.ramp).toBe(2);
  });

  test('ORIGIN 4: one success does not close it while other trials are out', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    await untilAdmitted('probe', calm);
    await fleet.end(name, trialOf('probe'), 'success', calm);
    expect([await untilAdmitted('a', calm), await untilAdmitted('b', calm)]).toEqual(['trial', 'trial']);
    expect((await fleet.end(name, trialOf('a'), 'success', calm)).record.state).toBe('half-open');
    expect((await fleet.end(name, trialOf('b'), 'failure', calm)).record.state).toBe('open');
  });

  test('closes after the ramp, a few calls at a time', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    await untilAdmitted('probe', calm);
    await fleet.end(name, trialOf('probe'), 'success', calm);
    const answers = await Promise.all(['a', 'b', 'c'].map((owner) => fleet.begin(name, owner, calm)));
    expect(answers.map(({ answer }) => answer)).toEqual(['trial', 'trial', 'wait']);
    await fleet.end(name, trialOf('a'), 'success', calm);
    expect((await fleet.end(name, trialOf('b'), 'success', calm)).answer).toBe('closed');
    expect((await fleet.begin(name, 'd', calm)).answer).toBe('go');
  });

  test('blames a step that fails where another has just succeeded, and opens again: the dependency may have gone', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    await untilAdmitted('good', calm);
    await fleet.end(name, trialOf('good'), 'success', calm);
    await untilAdmitted('bad', calm);
    expect(await fleet.end(name, trialOf('bad'), 'failure', calm)).toMatchObject({
      answer: 'blamed',
      record: { state: 'open' },
    });
  });

  test('blames a step that fails before and after another succeeds, and is not opened by it', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    await untilAdmitted('bad', patient);
    expect((await fleet.end(name, trialOf('bad'), 'failure', patient)).answer).toBe('opened');
    await untilAdmitted('good', calm);
    await fleet.end(name, trialOf('good'), 'success', calm);
    await untilAdmitted('bad', calm);
    const { answer, record } = await fleet.end(name, trialOf('bad'), 'failure', calm);
    expect(answer).toBe('blamed');
    expect(record.state).toBe('half-open');
    // Also when it alone has opened it again.
    await fleet.close(name);
    await fleet.trip(name, record.generation + 1, 'failed', settings);
    await fleet.trip(name, (await fleet.readOne(name)).record!.generation, 'failed', settings);
    await untilAdmitted('bad', patient);
    expect((await fleet.end(name, trialOf('bad'), 'failure', patient)).answer).toBe('blamed');
  });

  test('blames nobody while nobody succeeds', async () => {
    await fleet.trip(name, 0, 'failed', settings);
    for (const owner of ['a', 'b', 'a', 'b', 'a']) {
      await untilAdmitted(owner, patient);
      expect((await fleet.end(name, trialOf(owner), 'failure', patient)).answer).toBe('opened');
    }
  });

  test('remembers a bounded number of steps that have failed', async () => {
    const brief = { ...patient, probeIntervalMs: 1 };
    await fleet.trip(name, 0, 'failed', brief);
    for (let n = 0; n < 210; n += 1) {
      await untilAdmitted(`step-${n}`, brief);
      await fleet.end(name, trialOf(`step-${n}`), 'failure', brief);
    }
    const { record } = await fleet.readOne(name);
    expect(Object.keys(record!.tried!)).toHaveLength(200);
  });

  test('opened by hand stays open without a probe until it is closed by hand', async () => {
    await fleet.open(name);
    await pass(settings.probeIntervalMs + 20);
    expect((await fleet.begin(name, 'w', settings)).answer).toBe('wait');
    await fleet.close(name);
    expect((await fleet.begin(name, 'w', settings)).answer).toBe('go');
  });

  test('is not opened by who has not heard that it was closed since', async () => {
    await fleet.touch([name]);
    const first = (await fleet.readOne(name)).record!.generation;
    await fleet.trip(name, first, 'failed', settings);
    await fleet.close(name);
    expect((await fleet.trip(name, first, 'failed', settings)).answer).toBe('stale');
  });

  test('tells since when it has been open over all failed probes', async () => {
    const { record } = await fleet.trip(name, 0, 'failed', settings);
    await untilAdmitted('probe', calm);
    const again = (await fleet.end(name, trialOf('probe'), 'failure', calm)).record;
    expect(again.openedAt).toBe(record.since);
    expect(again.generation).toBeGreaterThan(record.generation);
  });
});

type Move = { who: number; what: 'begin' | 'success' | 'failure' | 'undecided' | 'die' | 'trip' | 'rest' | 'close' };
const moves: fc.Arbitrary<Move> = fc.record({
  who: fc.nat(4),
  what: fc.constantFrom(
    ...(['begin', 'begin', 'begin', 'success', 'failure', 'undecided', 'die', 'trip', 'rest'] as const),
    'close',
  ),
});

describe('the breaker of the fleet, whatever workers do in whatever order', () => {
  test('makes one probe an interval, no more trials at once than the ramp, and never stays half-open', async () => {
    const seed = Number(process.env['FLOTILLA_SEED'] ?? Date.now() % 2 ** 31);
    const property = fc.asyncProperty(fc.array(moves, { minLength: 5, maxLength: 40 }), async (schedule) => {
      name = `dependency-${count++}`;
      const held = new Map<number, string>();
      const probes: number[] = [];
      let attempts = 0;
      let isClosedByHand = false;
      for (const { who, what } of schedule) {
        const owner = held.get(who);
        if (what === 'rest') await pass(settings.probeIntervalMs / 2);
        else if (what === 'trip') await fleet.trip(name, 0, 'failed', settings);
        else if (what === 'close') {
          await fleet.close(name);
          isClosedByHand = true;
        } else if (what === 'die') held.delete(who);
        else if (what === 'begin' && owner === undefined) {
          const id = `w${who}-${attempts++}`;
          const { answer, record, now } = await fleet.begin(name, id, settings);
          const running = Object.values(record.trials).filter((deadline) => deadline > now).length;
          expect(running).toBeLessThanOrEqual(record.ramp ?? 1);
          if (answer === 'trial') held.set(who, id);
          if (answer === 'trial' && record.ramp === undefined) {
            // After a person has closed it, it may open and be tested again at once.
            if (probes.length > 0 && !isClosedByHand) {
              expect(now - probes.at(-1)!).toBeGreaterThanOrEqual(settings.probeIntervalMs);
            }
            isClosedByHand = false;
            probes.push(now);
          }
        } else if (owner !== undefined && what !== 'begin') {
          held.delete(who);
          const { answer, record } = await fleet.end(name, { owner, step: `step-${who}` }, what, settings);
          if (answer === 'closed') expect(record.state).toBe('closed');
          if (what === 'failure' && answer === 'opened') expect(record.state).toBe('open');
        }
      }
      // Everybody who held something is dead now: it must still find the way back.
      const machineMs = startStopwatch();
      for (let n = 0; ; n += 1) {
        expect(machineMs()).toBeLessThan(5000);
        const { answer, record, now } = await fleet.begin(name, `last-${n}`, settings);
        if (answer === 'go') break;
        if (answer === 'trial') await fleet.end(name, trialOf(`last-${n}`), 'success', settings);
        else {
          expect(judgeBreaker(record, now)).toMatchObject({ may: 'wait' });
          await pass(5);
        }
      }
    });
    await fc.assert(property, { seed, numRuns: 40, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: false });
  }, 60_000);
});
