import type { AgentView, StepView } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { gatesOfStep, type WaitContext } from './gates-of-step.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 4, 20);

const step = (change: Partial<StepView>): StepView => ({
  ...{ stepId: 'charge', kind: 'task', status: 'parked', attempts: 1, use: 'payments.charge', queue: 'default' },
  since: NOW - 5000,
  ...change,
});

function around(change: Partial<WaitContext> = {}): WaitContext {
  return {
    ...{ now: NOW, runCreatedAt: NOW - 60_000, isPaused: false, steps: new Map(), agents: [], queue: undefined },
    ...{ mapConcurrency: undefined, timer: () => undefined, leaseEnd: () => undefined, breaker: () => undefined },
    ...change,
  };
}

const agent = (change: object): AgentView =>
  ({
    ...{ workerId: 'w-1', status: 'healthy', intake: 'full', queues: ['default'], handlers: ['payments.charge'] },
    load: { running: 1, slots: 2 },
    lastSeenAt: NOW,
    ...change,
  }) as unknown as AgentView;

describe('a parked step', () => {
  const parked = step({ reason: 'breaker:payments-api' });

  test('waits for its breaker: since when it is open, when the next probe is, and how many steps wait', () => {
    const facts = { state: 'open', since: Date.UTC(2026, 0, 1, 12, 4, 11), openUntil: NOW + 8000, parked: 412 };
    expect(gatesOfStep(parked, around({ breaker: () => facts }))).toEqual([
      {
        stepId: 'charge',
        gate: 'breaker',
        subject: 'payments-api',
        since: facts.since,
        until: NOW + 8000,
        message: 'waits for payments-api: breaker open since 12:04:11 UTC, next probe in 8 s, 412 steps parked',
      },
    ]);
  });

  test('waits for the person who opened the breaker', () => {
    const facts = { state: 'open', since: NOW - 1000, parked: 1 };
    const timer = (letter: string) => (letter === 'p' ? NOW + 300 : undefined);
    const [gate] = gatesOfStep(parked, around({ timer, breaker: () => facts }));
    expect(gate).toMatchObject({ message: expect.stringContaining('until somebody closes it, 1 step parked') });
    expect(gate).not.toHaveProperty('until');
  });

  test('waits for the calls that test the way back when its breaker is half-open, and for nobody', () => {
    const timer = (letter: string) => (letter === 'p' ? NOW + 300 : undefined);
    const facts = { state: 'half-open', since: Date.UTC(2026, 0, 1, 12, 4, 11), parked: 10 };
    const [gate] = gatesOfStep(parked, around({ timer, breaker: () => facts }));
    expect(gate).toMatchObject({
      until: NOW + 300,
      message:
        'waits for payments-api: breaker half-open since 12:04:11 UTC, a few calls test the way back, 10 steps parked',
    });
  });

  test('is on its way back when its breaker has closed', () => {
    const timer = () => NOW + 300;
    const [gate] = gatesOfStep(parked, around({ timer, breaker: () => ({ state: 'closed', since: NOW, parked: 3 }) }));
    expect(gate).toMatchObject({
      gate: 'breaker',
      until: NOW + 300,
      message: expect.stringContaining('on its way back'),
    });
  });

  test('waits for healthy agents, memory of Redis, a process of its own or a handler, by the reason why it was parked', () => {
    const gates = ['agent-health', 'storage', 'own-process', 'no-handler'].flatMap((reason) =>
      gatesOfStep(step({ reason }), around()),
    );
    expect(gates.map(({ gate, subject }) => [gate, subject])).toEqual([
      ['agent-health', 'payments.charge'],
      ['storage', 'redis'],
      ['concurrency', 'default'],
      ['handler', 'payments.charge'],
    ]);
  });

  test.each(['agent-health', 'storage', 'no-handler'])(
    'that is parked for %s waits until queuedMs is over, not until it is looked at again',
    (reason) => {
      const lookedAt = (letter: string) => (letter === 'p' ? NOW + 300 : undefined);
      expect(gatesOfStep(step({ reason }), around({ timer: lookedAt }))[0]).not.toHaveProperty('until');
      const queued = (letter: string) => (letter === 'w' ? NOW + 60_000 : NOW + 300);
      expect(gatesOfStep(step({ reason }), around({ timer: queued }))[0]).toMatchObject({ until: NOW + 60_000 });
    },
  );
});

describe('a step that is being made', () => {
  const running = step({ status: 'running', worker: 'w-1', attempts: 2 });

  test('is held by the lease of its worker', () => {
    const [gate] = gatesOfStep(running, around({ leaseEnd: () => NOW + 7000 }));
    expect(gate).toMatchObject({ gate: 'lease', subject: 'w-1', until: NOW + 7000 });
    expect(gate?.message).toBe('attempt 2 is being made by w-1');
  });

  test('by a worker whose lease has run out is on its way to another', () => {
    const [gate] = gatesOfStep(running, around({ agents: [agent({ lastSeenAt: NOW - 12_000 })] }));
    expect(gate?.message).toMatch(/has not been heard of since 12:04:08 UTC: it is given to another worker/);
  });
});

describe('a step that is ready', () => {
  const ready = step({ status: 'ready' });

  test('is held by its queue alone while a slot is free, and by the slots when all are taken', () => {
    const queue = { depth: 3, position: 2 };
    const kinds = (running: number) =>
      gatesOfStep(ready, around({ queue, agents: [agent({ load: { running, slots: 2 } })] })).map(({ gate }) => gate);
    expect([kinds(1), kinds(2)]).toEqual([['queue'], ['queue', 'concurrency']]);
  });

  test('is held by the limit of a worker that takes less work than it has slots', () => {
    const [, gate] = gatesOfStep(ready, around({ agents: [agent({ load: { running: 3, slots: 64, limit: 3 } })] }));
    expect(gate).toMatchObject({ gate: 'concurrency' });
    expect(gate?.message).toBe(
      'all 3 slots of the one worker that can make it are taken; it takes fewer than its 64 now',
    );
    const none = agent({ load: { running: 0, slots: 64, limit: 0 } });
    expect(gatesOfStep(ready, around({ agents: [none, none] }))[1]?.message).toBe(
      '2 workers that can make it take no work now, of 128 slots',
    );
  });

  test('is held by the health of its agents, or the lack of its handler, when that changed after it was handed out', () => {
    const gatesWith = (change: object) =>
      gatesOfStep(ready, around({ agents: [agent(change)] })).map(({ gate, subject }) => [gate, subject]);
    expect(gatesWith({ intake: 'none' })).toEqual([
      ['queue', 'default'],
      ['agent-health', 'payments.charge'],
    ]);
    expect(gatesWith({ handlers: ['other'] })).toEqual([
      ['queue', 'default'],
      ['handler', 'payments.charge'],
    ]);
  });

  test('of a paused run is held by the pause, which is told of the run, and by no worker', () => {
    expect(gatesOfStep(ready, around({ isPaused: true, agents: [agent({ intake: 'none' })] }))).toEqual([]);
    expect(gatesOfStep(ready, around({ isPaused: true }))).toEqual([]);
  });

  test('is held by the lack of a living worker on its queue', () => {
    const [gate] = gatesOfStep(ready, around({ agents: [agent({ status: 'lost' })] }));
    expect(gate).toMatchObject({ gate: 'handler', subject: 'default' });
  });
});

describe('a map that is about to be started', () => {
  const map = (change: Partial<StepView>) => step({ kind: 'map', attempts: 0, ...change });
  const full = around({ agents: [agent({ load: { running: 2, slots: 2 } })], queue: { depth: 3, position: 2 } });

  test.each(['waiting', 'ready'] as const)('and is %s waits for no worker: only its items do', (status) => {
    expect(gatesOfStep(map({ status }), full)).toEqual([]);
    const item = map({ stepId: 'charge[3]', status: 'ready' });
    expect(gatesOfStep(item, full).map(({ gate }) => gate)).toEqual(['queue', 'concurrency']);
  });

  test('waits for what it needs before', () => {
    const needs = new Map([['cart', step({ stepId: 'cart', status: 'running' })]]);
    const [gate, ...others] = gatesOfStep(map({ status: 'waiting', needs: ['cart'] }), { ...full, steps: needs });
    expect([gate?.gate, gate?.subject, others]).toEqual(['dependency', 'cart', []]);
  });
});

test('a step that has settled is held by nothing', () => {
  expect(gatesOfStep(step({ status: 'succeeded' }), around())).toEqual([]);
});
