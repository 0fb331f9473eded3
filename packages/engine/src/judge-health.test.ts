import type { AgentStatus } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countsAgainstAgent } from './blame-agent.ts';
import { classifyError } from './classify-error.ts';
import {
  type AgentHealth,
  DEFAULT_HEALTH_THRESHOLDS,
  type HealthThresholds,
  type JudgedAgent,
  judgeHealth,
  type MeasuredWork,
} from './judge-health.ts';
import { AGENT_TRANSITIONS } from './transitions.ts';

const NO_WORK: MeasuredWork = {
  ...{ succeeded: 0, failed: 0, consecutiveFailures: 0, totalSucceeded: 0, totalFailed: 0, handlers: {} },
};

/** A fleet whose agents are judged as time goes by; all that are not spoken of are well. */
class JudgedFleet {
  now = 1_000_000;
  readonly events: string[] = [];
  readonly #agents = new Map<string, JudgedAgent>();
  readonly #silent = new Set<string>();
  readonly #thresholds: HealthThresholds;

  constructor(size: number, thresholds: Partial<HealthThresholds> = {}) {
    this.#thresholds = { ...DEFAULT_HEALTH_THRESHOLDS, ...thresholds };
    for (let index = 1; index <= size; index += 1) {
      const agentId = `a${index}`;
      const agent = { agentId, lastSeenAt: this.now, draining: false, work: NO_WORK, health: undefined };
      this.#agents.set(agentId, agent);
    }
  }

  health(agentId: string): AgentHealth | undefined {
    return this.#agents.get(agentId)!.health;
  }

  status(agentId: string): string {
    const health = this.health(agentId);
    return health?.lostAt === undefined ? `${health?.status ?? 'healthy'} ${health?.intake ?? 'all'}` : 'lost';
  }

  does(agentId: string, work: Partial<MeasuredWork>): this {
    const agent = this.#agents.get(agentId)!;
    agent.work = { ...agent.work, ...work };
    return this;
  }

  silence(agentId: string): this {
    this.#silent.add(agentId);
    return this;
  }

  speak(agentId: string): this {
    this.#silent.delete(agentId);
    return this;
  }

  after(ms: number): this {
    this.now += ms;
    for (const agent of this.#agents.values()) if (!this.#silent.has(agent.agentId)) agent.lastSeenAt = this.now;
    for (const { agentId, health, event } of judgeHealth([...this.#agents.values()], this.now, this.#thresholds)) {
      this.#agents.get(agentId)!.health = health;
      if (event !== undefined) this.events.push(`${agentId} ${event.type} ${event.reason}`);
    }
    return this;
  }
}

const FAILING = { consecutiveFailures: 3, failed: 3, totalFailed: 3 };

describe('the health of an agent', () => {
  test('ORIGIN: an agent with 1000 successes and then failures in a row is unhealthy, not "healthy (80)"', () => {
    const fleet = new JudgedFleet(3);
    const good = { succeeded: 1000, totalSucceeded: 1000 };
    expect(
      fleet
        .does('a1', { ...good, consecutiveFailures: 2, failed: 2, totalFailed: 2 })
        .after(1000)
        .status('a1'),
    ).toBe('healthy all');
    expect(
      fleet
        .does('a1', { ...good, ...FAILING })
        .after(1000)
        .status('a1'),
    ).toBe('unhealthy none');
    expect(fleet.events).toEqual(['a1 agent-unhealthy consecutive-failures']);
  });

  test('ORIGIN: the share of failures counts in a sliding window and above a minimum volume only', () => {
    const fleet = new JudgedFleet(3);
    expect(fleet.does('a1', { failed: 9, totalFailed: 9, consecutiveFailures: 1 }).after(1000).status('a1')).toBe(
      'healthy all',
    );
    expect(
      fleet.does('a1', { failed: 5, succeeded: 5, totalFailed: 5, totalSucceeded: 5 }).after(1000).status('a1'),
    ).toBe('healthy all');
    expect(fleet.does('a1', { failed: 6, totalFailed: 6 }).after(1000).status('a1')).toBe('unhealthy none');
    expect(fleet.health('a1')).toMatchObject({ reason: 'error-rate', since: fleet.now });
  });

  test('ORIGIN: an agent that takes 999 s where others take a moment is unhealthy, not "degraded"', () => {
    const fleet = new JudgedFleet(3);
    const usual = { work: { attempts: 10, typicalMs: 80 } };
    fleet.does('a2', { handlers: usual }).does('a3', { handlers: usual });
    expect(
      fleet
        .does('a1', { handlers: { work: { attempts: 3, typicalMs: 9900 } } })
        .after(1000)
        .status('a1'),
    ).toBe('healthy all');
    fleet.does('a1', { handlers: { work: { attempts: 3, typicalMs: 999_000 } } }).after(1000);
    expect(fleet.health('a1')).toMatchObject({ status: 'unhealthy', reason: 'response-time', intake: 'none' });
  });

  test('a step that takes a minute everywhere condemns nobody, nor does one that only one agent makes', () => {
    const fleet = new JudgedFleet(3);
    const long = { handlers: { train: { attempts: 20, typicalMs: 60_000 } } };
    fleet.does('a1', long).does('a2', long).after(1000);
    fleet.does('a3', { handlers: { alone: { attempts: 20, typicalMs: 600_000 } } }).after(1000);
    expect(fleet.events).toEqual([]);
  });

  test('ORIGIN: one that fails and one that is not heard of are different things', () => {
    const fleet = new JudgedFleet(3).does('a1', FAILING).silence('a2').after(9001);
    expect([fleet.status('a1'), fleet.status('a2'), fleet.status('a3')]).toEqual([
      'unhealthy none',
      'lost',
      'healthy all',
    ]);
    expect(fleet.events).toEqual(['a1 agent-unhealthy consecutive-failures', 'a2 agent-lost unseen']);
  });

  test('one that is heard of again is what it was before', () => {
    const fleet = new JudgedFleet(4).does('a1', FAILING).after(1000);
    fleet.silence('a1').silence('a2').after(9001).speak('a1').speak('a2').after(1000);
    expect([fleet.status('a1'), fleet.status('a2')]).toEqual(['unhealthy none', 'healthy all']);
    expect(fleet.events.slice(-2)).toEqual([
      'a1 agent-recovered heartbeat-resumed',
      'a2 agent-recovered heartbeat-resumed',
    ]);
  });

  test('comes back through a probation with little work, and is healthy after three successes', () => {
    const fleet = new JudgedFleet(3).does('a1', FAILING).after(1000);
    expect(fleet.after(4900).status('a1')).toBe('unhealthy none');
    expect(fleet.after(100).status('a1')).toBe('probation few');
    fleet.does('a1', { consecutiveFailures: 0, totalSucceeded: 2, succeeded: 2 });
    expect(fleet.after(1000).status('a1')).toBe('probation few');
    // The failures of before are still in the window.
    fleet.does('a1', { totalSucceeded: 3, succeeded: 3, failed: 30 });
    expect(fleet.after(1000).status('a1')).toBe('healthy all');
    expect(fleet.after(1000).status('a1')).toBe('healthy all');
    expect(fleet.events).toEqual([
      'a1 agent-unhealthy consecutive-failures',
      'a1 agent-probation cooldown-elapsed',
      'a1 agent-recovered probation-passed',
    ]);
  });

  test('fails its probation with the second failure, and each rest is twice as long, up to a minute', () => {
    const fleet = new JudgedFleet(3).does('a1', FAILING).after(1000);
    const rests: number[] = [];
    for (let failed = 5; failed < 16; failed += 2) {
      const since = fleet.now;
      while (fleet.status('a1') === 'unhealthy none') fleet.after(1000);
      rests.push(fleet.now - since);
      expect(
        fleet
          .does('a1', { totalFailed: failed - 1 })
          .after(0)
          .status('a1'),
      ).toBe('probation few');
      expect(fleet.does('a1', { totalFailed: failed }).after(0).status('a1')).toBe('unhealthy none');
    }
    expect(rests).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  test('five healthy minutes make up for what was', () => {
    const fleet = new JudgedFleet(3).does('a1', FAILING).after(1000).after(5000);
    fleet.does('a1', { consecutiveFailures: 0, totalSucceeded: 3 }).after(1000).after(301_000);
    fleet.does('a1', { consecutiveFailures: 3, totalFailed: 6 }).after(1000);
    expect(fleet.health('a1')).toMatchObject({ status: 'unhealthy', strikes: 1 });
  });

  test('when more than half of the living agents fail it is hardly they: all go on taking work', () => {
    const fleet = new JudgedFleet(4).does('a1', FAILING).does('a2', FAILING).after(1000);
    expect([fleet.status('a1'), fleet.status('a2')]).toEqual(['unhealthy none', 'unhealthy none']);
    fleet.does('a3', FAILING).after(1000);
    expect(['a1', 'a2', 'a3', 'a4'].map((id) => fleet.status(id))).toEqual([
      'unhealthy all',
      'unhealthy all',
      'unhealthy all',
      'healthy all',
    ]);
    expect(new JudgedFleet(1).does('a1', FAILING).after(1000).status('a1')).toBe('unhealthy all');
  });

  test('a fleet whose agents may all be taken out tries one after its rest', () => {
    const fleet = new JudgedFleet(2, { maxUnhealthyShare: 1 }).does('a1', FAILING).does('a2', FAILING).after(1000);
    expect([fleet.status('a1'), fleet.status('a2')]).toEqual(['unhealthy none', 'unhealthy none']);
    expect(fleet.after(5000).status('a1')).toBe('probation few');
  });

  test('without routing it is judged and told, and everybody takes work', () => {
    const fleet = new JudgedFleet(3, { routing: false }).does('a1', FAILING).after(1000);
    expect(fleet.status('a1')).toBe('unhealthy all');
    expect(fleet.events).toHaveLength(1);
  });

  test('moves as the table of agents allows, whatever happens', () => {
    const seen = new Set<string>();
    const round = fc.record({
      succeeded: fc.nat(19),
      failed: fc.nat(19),
      consecutiveFailures: fc.nat(4),
      moreSucceeded: fc.nat(2),
      moreFailed: fc.nat(1),
      heard: fc.constantFrom('silenced', ...Array.from({ length: 5 }, () => 'speaks'), 'as before', 'as before'),
      passedMs: fc.nat(8000),
    });
    const story = fc.property(fc.array(round, { minLength: 100, maxLength: 100 }), (rounds) => {
      const fleet = new JudgedFleet(3);
      const totals = { totalSucceeded: 0, totalFailed: 0 };
      let before: AgentStatus = 'healthy';
      for (const { succeeded, failed, consecutiveFailures, moreSucceeded, moreFailed, heard, passedMs } of rounds) {
        totals.totalSucceeded += moreSucceeded;
        totals.totalFailed += moreFailed;
        fleet.does('a1', { ...totals, consecutiveFailures, succeeded, failed });
        if (heard === 'silenced') fleet.silence('a1');
        else if (heard === 'speaks') fleet.speak('a1');
        const after = fleet.after(passedMs).status('a1').split(' ')[0] as AgentStatus;
        if (after !== before) {
          seen.add(`${before} ${after}`);
          expect({ before, after, allowed: AGENT_TRANSITIONS[before].includes(after) }).toMatchObject({
            allowed: true,
          });
        }
        before = after;
      }
    });
    const given = process.env['FLOTILLA_SEED'];
    fc.assert(story, { numRuns: 150, ...(given === undefined || given === '' ? {} : { seed: Number(given) }) });
    // All moves among the four were made, so the table allows no more of them than there are.
    expect(seen.size).toBe(10);
  });

  test('to judge again changes nothing', () => {
    const fleet = new JudgedFleet(3).does('a1', FAILING).silence('a2').after(9001);
    const { events } = fleet;
    fleet.after(0).after(0);
    expect(events).toHaveLength(2);
  });
});

describe('what counts against an agent', () => {
  const blames = (error: unknown, hasBreaker = false) =>
    countsAgainstAgent({ ...classifyError(error), error, hasBreaker });

  test('that asks to wait does not count, as that of a step that polls', () => {
    expect(blames(Object.assign(new Error('not yet'), { retryable: true, retryAfterMs: 200 }))).toBe(false);
  });

  test.each<[string, unknown, boolean]>([
    ['an error of which nothing is known', new Error('boom'), true],
    ['a timeout', Object.assign(new Error('late'), { name: 'TimeoutError' }), true],
    ['no more file handles', Object.assign(new Error('full'), { code: 'EMFILE' }), true],
    ['a programming error', new TypeError('x is not a function'), true],
    ['a module that is missing', Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' }), true],
    ['an input that the handler refuses', Object.assign(new Error('no'), { retryable: false }), false],
    ['a rate limit', Object.assign(new Error('slow down'), { status: 429 }), false],
    ['an answer 503 of a dependency', Object.assign(new Error('away'), { status: 503 }), false],
    ['a request that the handler aborted itself', new DOMException('stop', 'AbortError'), true],
    ['ORIGIN: a cancellation', { [Symbol.for('flotilla.error-type')]: 'cancelled' }, false],
  ])('%s', (_title, error, counts) => {
    expect(blames(error)).toBe(counts);
  });

  test('nothing of a dependency with a breaker, but a programming error', () => {
    expect(blames(new Error('boom'), true)).toBe(false);
    expect(blames(new TypeError('oops'), true)).toBe(true);
  });
});
