import type { AgentView } from '@flotilla/contracts';

/** An agent as the API shows it: healthy and idle, but for what is said otherwise. */
export function agentViewWith(change: Partial<AgentView> = {}): AgentView {
  return {
    ...{ agentId: 'a-1', workerId: 'w-1', host: 'here', pid: 1, version: '0.1.0' },
    ...{ status: 'healthy', since: 1, intake: 'all' },
    ...{ capabilities: [], queues: ['default'], handlers: [] },
    performance: {
      ...{ windowMs: 60_000, succeeded: 0, failed: 0 },
      ...{ successRate: 1, errorRate: 0, consecutiveFailures: 0 },
    },
    load: { running: 0, slots: 10, loopLagMs: 0 },
    ...{ startedAt: 1, lastSeenAt: 2 },
    ...change,
  };
}
