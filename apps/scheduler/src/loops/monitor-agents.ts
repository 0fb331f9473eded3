import { type AgentDirectory, setHealth } from '@flotilla/agents';
import type { AgentEvent } from '@flotilla/contracts';
import { type AgentHealth, type HealthThresholds, type HealthVerdict, judgeHealth } from '@flotilla/engine';
import type { RedisClient } from '@flotilla/redis';
import type { Logger, Meters } from '@flotilla/telemetry';
import { Loop } from './loop.ts';

export interface MonitorAgentsDependencies {
  directory: AgentDirectory;
  client: RedisClient;
  namespace: string;
  thresholds: HealthThresholds;
  intervalMs: number;
  meters: Meters;
  logger: Logger;
}

/** A scheduler that has just begun to look gives the agents this long to be heard of before it judges. */
const FIRST_LOOK_MS = 4000;

/**
 * Judges the agents by what they tell of their work and by when they were last seen. Every scheduler does; the one that
 * is first to write a judgement tells of it.
 */
export function createMonitorAgentsLoop(dependencies: MonitorAgentsDependencies): Loop {
  const { directory, thresholds, logger, intervalMs } = dependencies;
  let firstAt: number | undefined;
  return new Loop({
    name: 'monitor-agents',
    turn: async () => {
      await directory.look();
      const { now } = directory;
      firstAt ??= now;
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
  { directory, client, namespace, meters, logger }: MonitorAgentsDependencies,
  { agentId, health, event }: HealthVerdict,
): Promise<void> {
  const beforeText = directory.get(agentId)?.healthText ?? '';
  const told: AgentEvent | undefined = event === undefined ? undefined : { ...event, agentId, at: directory.now };
  const afterText = JSON.stringify(health);
  const isFirst = await setHealth(client, namespace, { agentId, beforeText, afterText, event: told });
  if (!isFirst || told === undefined) return;
  meters.add('flotilla_agent_events_total', { type: told.type });
  const { status, intake } = health;
  const level = told.type === 'agent-unhealthy' || told.type === 'agent-lost' ? 'warn' : 'info';
  logger[level]({ agentId, reason: told.reason, status, intake }, told.type);
}
