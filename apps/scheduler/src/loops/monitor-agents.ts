import { type AgentDirectory, setHealth } from '@flotilla/agents';
import { AGENT_STATUSES, type AgentEvent } from '@flotilla/contracts';
import { type AgentHealth, type HealthThresholds, type HealthVerdict, judgeHealth } from '@flotilla/engine';
import type { RedisClient } from '@flotilla/redis';
import type { Logger } from '@flotilla/telemetry';
import type { Metrics } from '../http/metrics.ts';
import { Loop } from './loop.ts';

export interface MonitorAgentsDependencies {
  directory: AgentDirectory;
  client: RedisClient;
  namespace: string;
  thresholds: HealthThresholds;
  intervalMs: number;
  metrics: Metrics;
  logger: Logger;
}

/** A scheduler that has just begun to look gives the agents this long to be heard of before it judges. */
const FIRST_LOOK_MS = 4000;

/**
 * Judges the agents by what they tell of their work and by when they were last seen. Every scheduler does; the one that
 * is first to write a judgement tells of it.
 */
export function createMonitorAgentsLoop(dependencies: MonitorAgentsDependencies): Loop {
  const { directory, thresholds, metrics, logger, intervalMs } = dependencies;
  let firstAt: number | undefined;
  const counts = new Map<string, number>();
  for (const status of AGENT_STATUSES) {
    metrics.gauge('flotilla_agents', 'Agents by status', () => counts.get(status) ?? 0, { status });
  }
  return new Loop({
    name: 'monitor-agents',
    turn: async () => {
      await directory.look();
      const { now } = directory;
      firstAt ??= now;
      counts.clear();
      for (const { status } of directory.views()) counts.set(status, (counts.get(status) ?? 0) + 1);
      if (directory.isSettling || now - firstAt < FIRST_LOOK_MS) return undefined;
      const agents = Array.from(directory.agents, ({ identity, sign, lastSeenAt, health }) => ({
        agentId: identity.agentId,
        lastSeenAt,
        draining: sign.draining,
        work: sign.work,
        health: health as AgentHealth | undefined,
      }));
      for (const verdict of judgeHealth(agents, now, thresholds)) await tell(dependencies, verdict);
      return undefined;
    },
    intervalMs,
    logger,
  });
}

async function tell(
  { directory, client, namespace, metrics, logger }: MonitorAgentsDependencies,
  { agentId, health, event }: HealthVerdict,
): Promise<void> {
  const beforeText = directory.get(agentId)?.healthText ?? '';
  const told: AgentEvent | undefined = event === undefined ? undefined : { ...event, agentId, at: directory.now };
  const afterText = JSON.stringify(health);
  const isFirst = await setHealth(client, namespace, { agentId, beforeText, afterText, event: told });
  if (!isFirst || told === undefined) return;
  metrics.count('flotilla_agent_events_total', "What happened to agents' health", { type: told.type });
  const { status, intake } = health;
  const level = told.type === 'agent-unhealthy' || told.type === 'agent-lost' ? 'warn' : 'info';
  logger[level]({ agentId, reason: told.reason, status, intake }, told.type);
}
