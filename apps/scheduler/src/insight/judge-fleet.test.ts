import type { BreakerView } from '@flotilla/contracts';
import { agentViewWith } from '@flotilla/testing';
import { describe, expect, test } from '@jest/globals';
import { type FleetFacts, judgeFleet } from './judge-fleet.ts';

const AT = 1_800_000_000_000;
const agent = (more: object = {}) => agentViewWith({ agentId: 'w-1', ...more });
const breaker = (more: Partial<BreakerView> = {}): BreakerView => ({
  ...{ name: 'payments', state: 'open', since: AT - 5000, parked: 3, manual: false, trials: 0 },
  ...more,
});

const HEALTHY: FleetFacts = {
  at: AT,
  agents: [agent()],
  breakers: [breaker({ state: 'closed' })],
  counts: { status: { running: 2, succeeded: 100 }, waiting: { delay: 1 } },
  problems: [],
  redisLatencyMs: 1,
  errorsBack: [],
  freshDeadRuns: 0,
  outboxLagMs: 20,
  oldestPendingAt: AT - 500,
};

const waiting = (reasons: Record<string, number>) => ({ counts: { ...HEALTHY.counts, waiting: reasons } });
const problem = (code: string) => ({ problems: [{ code, path: '/x', message: 'it is so' }] });
const group = {
  ...{ fingerprint: '0123456789abcdef', code: 'DECLINED', type: 'retryable', handler: 'pay', message: 'no' },
  ...{ count: 2, firstSeenAt: AT - 9, lastSeenAt: AT - 1, state: 'back' as const, runs: 2 },
};

const FAULTS: [what: string, facts: Partial<FleetFacts>, code: string, severity: string, next: RegExp][] = [
  ['no worker is alive', { agents: [], ...waiting({ queued: 3 }) }, 'NO_WORKERS', 'failing', /Start a worker/],
  ['no worker has the handler', waiting({ 'no-handler': 2 }), 'NO_HANDLER', 'degraded', /Deploy a worker/],
  [
    'a breaker is open',
    { breakers: [breaker()], ...waiting({ 'breaker:payments': 3 }) },
    'BREAKER_OPEN',
    'degraded',
    /payments itself/,
  ],
  [
    'a breaker was opened by hand',
    { breakers: [breaker({ manual: true })] },
    'BREAKER_OPEN',
    'degraded',
    /breakers close payments/,
  ],
  [
    'an agent is unhealthy',
    { agents: [agent(), agent({ agentId: 'w-2', status: 'unhealthy' })] },
    'AGENT_UNHEALTHY',
    'degraded',
    /w-2/,
  ],
  [
    'an agent is lost',
    { agents: [agent(), agent({ agentId: 'w-2', status: 'lost' })] },
    'AGENT_LOST',
    'degraded',
    /process or machine/,
  ],
  ['Redis holds steps back', problem('STORAGE_HOLDING'), 'STORAGE_HOLDING', 'failing', /maxmemory/],
  ['Redis takes no new runs', problem('STORAGE_REFUSING'), 'STORAGE_FULL', 'failing', /maxmemory/],
  ['Redis is set up wrong', problem('REDIS_EVICTS'), 'REDIS_MISCONFIGURED', 'failing', /doctor/],
  ['Redis is slow', { redisLatencyMs: 300 }, 'REDIS_SLOW', 'degraded', /SLOWLOG/],
  ['a loop stands still', problem('LOOP_STALLED'), 'LOOP_STALLED', 'failing', /log of this scheduler/],
  ['the outbox is not read', { outboxLagMs: 30_000 }, 'OUTBOX_GROWING', 'failing', /another scheduler/],
  [
    'runs wait for workers',
    { oldestPendingAt: AT - 90_000, ...waiting({ queued: 9 }) },
    'QUEUE_STALLED',
    'degraded',
    /more workers/,
  ],
  ['an error is back', { errorsBack: [group] }, 'ERROR_BACK', 'degraded', /newest run/],
  ['runs failed for good', { freshDeadRuns: 4 }, 'DEAD_LETTERS', 'degraded', /redrive/],
];

describe('the verdict', () => {
  test('of a healthy fleet has no finding', () => {
    expect(judgeFleet(HEALTHY)).toEqual({ verdict: 'ok', summary: 'Everything works.', at: AT, findings: [] });
  });

  test('of an empty fleet has no finding', () => {
    const empty = {
      ...HEALTHY,
      agents: [],
      breakers: [],
      counts: { status: {}, waiting: {} },
      oldestPendingAt: undefined,
    };
    expect(judgeFleet(empty).findings).toEqual([]);
  });

  test.each(FAULTS)('when %s is that alone, with the next step', (_, facts, code, severity, next) => {
    const { verdict, summary, findings } = judgeFleet({ ...HEALTHY, ...facts });
    expect(findings).toMatchObject([{ code, severity }]);
    expect(findings[0]?.next).toMatch(next);
    expect(verdict).toBe(severity);
    expect(summary).toContain(findings[0]?.message);
  });

  test('is that of the worst finding, which comes first', () => {
    const { verdict, findings } = judgeFleet({ ...HEALTHY, freshDeadRuns: 1, outboxLagMs: 99_000 });
    expect(findings.map(({ code }) => code)).toEqual(['OUTBOX_GROWING', 'DEAD_LETTERS']);
    expect(verdict).toBe('failing');
  });
});
