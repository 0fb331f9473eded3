import type { EventType, HistoryEvent, LedgerPart } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { timeLedger } from './time-ledger.ts';

type Given = [at: number, type: EventType, stepId?: string | undefined, data?: HistoryEvent['data']];

const historyOf = (...given: Given[]): HistoryEvent[] =>
  given.map(([at, type, stepId, data], seq) => ({
    ...{ seq, at, type },
    ...(stepId !== undefined && { stepId }),
    ...(data !== undefined && { data }),
  }));

const KINDS: Record<string, string> = {
  a: 'task',
  b: 'task',
  cool: 'delay',
  choose: 'branch',
  all: 'map',
  ask: 'approval',
};
const ledger = (asOf: number, ...given: Given[]) => timeLedger(historyOf(...given), asOf, (id) => KINDS[id]);
const part = (kind: string, ms: number, subject?: string) =>
  subject === undefined ? { kind, ms } : { kind, subject, ms };

describe('the time of a run', () => {
  test('goes to the queue, to attempts and to Flotilla itself', () => {
    const parts = ledger(
      100,
      [0, 'run-created'],
      [0, 'step-ready', 'a'],
      [30, 'attempt-started', 'a'],
      [90, 'attempt-succeeded', 'a'],
      [90, 'step-succeeded', 'a'],
      [100, 'run-succeeded'],
    );
    expect(parts).toEqual([part('running', 60), part('queued', 30), part('overhead', 10)]);
  });

  test('goes to the backing off until the next attempt is due, and to the queue from then on', () => {
    const parts = ledger(
      200,
      [0, 'run-created'],
      [0, 'step-ready', 'a'],
      [10, 'attempt-started', 'a'],
      [20, 'attempt-failed', 'a'],
      [20, 'retry-scheduled', 'a', { delayMs: 100 }],
      [150, 'attempt-started', 'a'],
      [200, 'step-succeeded', 'a'],
    );
    expect(parts).toEqual([part('backing-off', 100), part('running', 60), part('queued', 40)]);
  });

  test('goes to the gate that parks a step, told apart by its name', () => {
    const parts = ledger(
      60,
      [0, 'run-created'],
      [0, 'step-ready', 'a'],
      [0, 'step-parked', 'a', { reason: 'no-handler' }],
      [20, 'step-parked', 'a', { reason: 'breaker:payments' }],
      [60, 'attempt-started', 'a'],
    );
    expect(parts).toEqual([part('parked', 40, 'breaker:payments'), part('parked', 20, 'no-handler')]);
  });

  test('goes to a running attempt whatever else waits, and to the pause whatever else runs', () => {
    const parts = ledger(
      100,
      [0, 'run-created'],
      [0, 'step-ready', undefined, { steps: ['a', 'cool'], count: 2 }],
      [0, 'attempt-started', 'a'],
      [40, 'run-paused'],
      [50, 'run-resumed'],
      [60, 'attempt-succeeded', 'a'],
      [60, 'step-succeeded', 'a'],
      [100, 'step-succeeded', 'cool'],
    );
    expect(parts).toEqual([part('running', 50), part('delay', 40), part('paused', 10)]);
  });

  test('goes to what is waited for from outside, to decisions, and to cleanups', () => {
    const parts = ledger(
      110,
      [0, 'run-created'],
      [0, 'step-ready', 'choose'],
      [5, 'step-succeeded', 'choose'],
      [5, 'step-ready', 'ask'],
      [10, 'wait-started', 'ask', { kind: 'approval', subject: 'x' }],
      [60, 'wait-answered', 'ask'],
      [61, 'step-succeeded', 'ask'],
      [61, 'cancel-requested'],
      [70, 'cleanup-started', 'a'],
      [100, 'cleanup-succeeded', 'a'],
      [110, 'run-cancelled'],
    );
    expect(parts).toEqual([part('waiting', 50, 'approval'), part('cleaning-up', 40), part('overhead', 20)]);
  });

  test('between its end and a retry goes to neither', () => {
    const parts = ledger(
      100,
      [0, 'run-created'],
      [0, 'step-ready', 'a'],
      [0, 'attempt-started', 'a'],
      [10, 'attempt-failed', 'a'],
      [10, 'step-failed', 'a'],
      [10, 'run-failed'],
      [90, 'run-retried'],
      [90, 'attempt-started', 'a'],
      [100, 'step-succeeded', 'a'],
      [100, 'run-succeeded'],
    );
    expect(parts).toEqual([part('ended', 80), part('running', 20)]);
  });

  test('of large groups, whose steps are not all named, goes to the queue until they have started', () => {
    const parts = ledger(
      30,
      [0, 'run-created'],
      [0, 'step-ready', undefined, { steps: ['a'], count: 2 }],
      [0, 'attempt-started', 'a'],
      [10, 'step-succeeded', 'a'],
      [20, 'attempt-started', 'b'],
      [30, 'step-succeeded', 'b'],
    );
    expect(parts).toEqual([part('running', 20), part('queued', 10)]);
  });
});

/** Small pseudo-random numbers, the same each time. */
function randomOf(seed: number) {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

const TYPES: readonly EventType[] = [
  ...([
    'step-ready',
    'attempt-started',
    'attempt-succeeded',
    'attempt-failed',
    'retry-scheduled',
    'step-parked',
  ] as const),
  ...(['step-succeeded', 'step-failed', 'run-paused', 'run-resumed', 'wait-started', 'wait-answered'] as const),
  ...(['attempt-lost', 'cleanup-started', 'cancel-requested', 'run-failed', 'run-retried', 'step-skipped'] as const),
];

describe('the ledger', () => {
  test('of a thousand random histories sums to the wall clock, to the millisecond', () => {
    for (let seed = 1; seed <= 1000; seed += 1) {
      const below = randomOf(seed);
      let at = 1_000_000;
      const given: Given[] = [[at, 'run-created']];
      for (let index = below(60); index > 0; index -= 1) {
        at += below(50);
        const type = TYPES[below(TYPES.length)] ?? 'step-ready';
        given.push([
          at,
          type,
          ['a', 'b', 'cool', 'all', 'all[1]', 'ask'][below(6)],
          { delayMs: below(90), reason: 'x', kind: 'signal' },
        ]);
      }
      const asOf = at + below(40);
      const parts: LedgerPart[] = ledger(asOf, ...given);
      const sum = parts.reduce((total, { ms }) => total + ms, 0);
      expect({ seed, sum }).toEqual({ seed, sum: asOf - 1_000_000 });
    }
  });
});
