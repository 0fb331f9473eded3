import type { AgentEventType, AgentHealthReason, AgentIntake, JudgedAgentStatus } from '@flotilla/contracts';

/** When an agent is taken out of routing, and how it comes back. */
export interface HealthThresholds {
  /** Different steps that failed one after the other. Default 3. */
  consecutiveFailures: number;
  /** An agent is unhealthy when a larger share of its attempts in the window failed. Default 0.5. */
  errorRate: number;
  /** Attempts in the window below which their error rate says nothing. Default 10. */
  minimumVolume: number;
  /** Attempts of one handler below which what they take says nothing. Default 3; in a probation one less. */
  minimumSlowAttempts: number;
  /** Attempts that usually take no longer than this are never slow, whatever they take elsewhere. Default 10,000. */
  responseTimeMs: number;
  /** Slow is who takes this many times as long as the other agents do for the same handler. Default 3. */
  slowFactor: number;
  /** No heartbeat for this long: lost. Default 9,000, the lease of a worker. */
  lostAfterMs: number;
  /** How long an agent rests before its probation; doubles each time, up to `longestCoolDownMs`. Default 5,000. */
  coolDownMs: number;
  /** Default 60,000. */
  longestCoolDownMs: number;
  /** Successes that end a probation well. Default 3. */
  probationSuccesses: number;
  /** Failures that end it badly. Default 2. */
  probationFailures: number;
  /** Healthy for this long, an agent's earlier cool-downs are forgotten. Default 300,000. */
  forgiveAfterMs: number;
  /**
   * When a larger share of the living agents is unhealthy at once, it is hardly the agents: all of them take work.
   * Default 0.5; 1: never.
   */
  maxUnhealthyShare: number;
  /** False: health is judged and shown, and everybody takes work. Default true. */
  routing: boolean;
}

export const DEFAULT_HEALTH_THRESHOLDS: HealthThresholds = {
  consecutiveFailures: 3,
  errorRate: 0.5,
  minimumVolume: 10,
  minimumSlowAttempts: 3,
  responseTimeMs: 10_000,
  slowFactor: 3,
  lostAfterMs: 9000,
  coolDownMs: 5000,
  longestCoolDownMs: 60_000,
  probationSuccesses: 3,
  probationFailures: 2,
  forgiveAfterMs: 300_000,
  maxUnhealthyShare: 0.5,
  routing: true,
};

/** What the judgement knows of an agent's work. */
export interface MeasuredWork {
  /** In the sliding window. */
  succeeded: number;
  failed: number;
  consecutiveFailures: number;
  /** Since its process began. */
  totalSucceeded: number;
  totalFailed: number;
  /** What an attempt of each handler usually takes, those under way included. */
  handlers: Readonly<Record<string, { attempts: number; typicalMs: number }>>;
}

/** The judgement of an agent as it is kept. None is kept of agents that have always been healthy. */
export interface AgentHealth {
  status: JudgedAgentStatus;
  reason: AgentHealthReason;
  since: number;
  intake: AgentIntake;
  /** Times in a row that it became unhealthy without a long healthy spell between. */
  strikes: number;
  /** The totals of its work when it got this status: what counts is what came after. */
  succeededBefore: number;
  failedBefore: number;
  /** Since when it is lost; its judgement rests meanwhile. */
  lostAt?: number;
}

export interface JudgedAgent {
  agentId: string;
  lastSeenAt: number;
  draining: boolean;
  work: MeasuredWork;
  health: AgentHealth | undefined;
}

export interface HealthVerdict {
  agentId: string;
  health: AgentHealth;
  /** What happened, if anything did; only the intake may have changed. */
  event: { type: AgentEventType; reason: AgentHealthReason } | undefined;
}

/**
 * Judges a fleet at one moment on Redis' clock. Answers the agents whose judgement differs from the one that is kept.
 * Judging again at the same moment changes nothing, so that any number of schedulers may judge.
 */
export function judgeHealth(
  agents: readonly JudgedAgent[],
  now: number,
  thresholds: HealthThresholds = DEFAULT_HEALTH_THRESHOLDS,
): HealthVerdict[] {
  const typical = new TypicalTimes(agents, thresholds.minimumSlowAttempts);
  const judged = agents.map((agent) => ({ agent, ...judgeAgent(agent, now, thresholds, typical) }));
  const living = judged.filter(({ agent, health }) => health.lostAt === undefined && !agent.draining);
  const out = living.filter(({ health }) => health.status === 'unhealthy').length;
  const acceptsFromAll = !thresholds.routing || out > living.length * thresholds.maxUnhealthyShare;
  return judged.flatMap(({ agent: { agentId, health: before }, health, event }) => {
    const intake = acceptsFromAll ? 'all' : INTAKE_OF[health.status];
    const after = { ...health, intake };
    const isSame =
      event === undefined && (before === undefined ? after.intake === 'all' : before.intake === after.intake);
    return isSame ? [] : [{ agentId, health: after, event }];
  });
}

/** What an agent takes that has this status. */
export const INTAKE_OF: Readonly<Record<JudgedAgentStatus, AgentIntake>> = {
  healthy: 'all',
  probation: 'few',
  unhealthy: 'none',
};

interface Judgement {
  health: AgentHealth;
  event: HealthVerdict['event'];
}

function judgeAgent(
  { agentId, lastSeenAt, work, health: kept }: JudgedAgent,
  now: number,
  thresholds: HealthThresholds,
  typical: TypicalTimes,
): Judgement {
  const health = kept ?? ALWAYS_HEALTHY;
  if (now - lastSeenAt > thresholds.lostAfterMs) {
    if (health.lostAt !== undefined) return { health, event: undefined };
    const lostAt = lastSeenAt + thresholds.lostAfterMs;
    return { health: { ...health, lostAt }, event: { type: 'agent-lost', reason: 'unseen' } };
  }
  if (health.lostAt !== undefined) {
    const { lostAt: _, ...found } = health;
    return { health: found, event: { type: 'agent-recovered', reason: 'heartbeat-resumed' } };
  }
  const become = (
    status: JudgedAgentStatus,
    reason: AgentHealthReason,
    type: AgentEventType,
    strikes = health.strikes,
  ): Judgement => ({
    health: {
      ...{ status, reason, since: now, intake: INTAKE_OF[status], strikes },
      ...{ succeededBefore: work.totalSucceeded, failedBefore: work.totalFailed },
    },
    event: { type, reason },
  });
  const isSlow = (attempts: number) => typical.isSlow(agentId, work, attempts, thresholds);
  const succeeded = work.totalSucceeded - health.succeededBefore;
  const failed = work.totalFailed - health.failedBefore;
  switch (health.status) {
    case 'healthy': {
      const reason = findFault(work, succeeded + failed, thresholds, isSlow);
      if (reason === undefined) return { health, event: undefined };
      const forgiven = now - health.since > thresholds.forgiveAfterMs;
      return become('unhealthy', reason, 'agent-unhealthy', forgiven ? 1 : health.strikes + 1);
    }
    case 'unhealthy': {
      const restMs = Math.min(thresholds.longestCoolDownMs, thresholds.coolDownMs * 2 ** (health.strikes - 1));
      if (now - health.since < restMs) return { health, event: undefined };
      return become('probation', 'cooldown-elapsed', 'agent-probation');
    }
    default: {
      const failedAgain = failed >= thresholds.probationFailures;
      if (failedAgain || isSlow(thresholds.minimumSlowAttempts - 1)) {
        const reason = failedAgain ? 'consecutive-failures' : 'response-time';
        return become('unhealthy', reason, 'agent-unhealthy', health.strikes + 1);
      }
      if (succeeded < thresholds.probationSuccesses) return { health, event: undefined };
      return become('healthy', 'probation-passed', 'agent-recovered');
    }
  }
}

const ALWAYS_HEALTHY: AgentHealth = {
  ...{ status: 'healthy', reason: 'probation-passed', since: 0, intake: 'all', strikes: 0 },
  ...{ succeededBefore: 0, failedBefore: 0 },
};

/** What is wrong with an agent that was healthy. `attempts`: how many have ended since it was. */
function findFault(
  work: MeasuredWork,
  attempts: number,
  thresholds: HealthThresholds,
  isSlow: (attempts: number) => boolean,
): AgentHealthReason | undefined {
  if (work.consecutiveFailures >= thresholds.consecutiveFailures) return 'consecutive-failures';
  const volume = work.succeeded + work.failed;
  // A window that reaches back before the last judgement would condemn twice for the same failures.
  const isFresh = attempts >= volume;
  if (isFresh && volume >= thresholds.minimumVolume && work.failed > volume * thresholds.errorRate) return 'error-rate';
  return isSlow(thresholds.minimumSlowAttempts) ? 'response-time' : undefined;
}

/** What each handler usually takes on each agent that has made enough attempts of it. */
class TypicalTimes {
  readonly #byHandler = new Map<string, { agentId: string; typicalMs: number }[]>();

  constructor(agents: readonly JudgedAgent[], leastAttempts: number) {
    for (const { agentId, work } of agents) {
      for (const [handler, { attempts, typicalMs }] of Object.entries(work.handlers)) {
        if (attempts < leastAttempts) continue;
        const times = this.#byHandler.get(handler) ?? [];
        if (times.length === 0) this.#byHandler.set(handler, times);
        times.push({ agentId, typicalMs });
      }
    }
  }

  /**
   * Whether attempts of any handler take much longer on this agent than on the others. An agent that no other can be
   * compared with is not slow: a step may well take a minute, and its own `attemptMs` limits it.
   */
  isSlow(agentId: string, { handlers }: MeasuredWork, leastAttempts: number, thresholds: HealthThresholds): boolean {
    return Object.entries(handlers).some(([handler, { attempts, typicalMs }]) => {
      if (attempts < leastAttempts || typicalMs <= thresholds.responseTimeMs) return false;
      const others = (this.#byHandler.get(handler) ?? []).filter((other) => other.agentId !== agentId);
      return others.length > 0 && typicalMs > thresholds.slowFactor * medianOf(others.map((other) => other.typicalMs));
    });
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
