import { z } from 'zod';

/**
 * How an agent is. `lost`: no heartbeat for longer than its lease. `draining`: it was told to end. The other three are
 * judged from how its attempts end; engine/transitions says how they follow.
 */
export const AGENT_STATUSES = ['healthy', 'probation', 'unhealthy', 'lost', 'draining'] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

/** The statuses that are judged; the others follow from what the agent says and when it was last seen. */
export const JUDGED_AGENT_STATUSES = ['healthy', 'probation', 'unhealthy'] as const;
export type JudgedAgentStatus = (typeof JUDGED_AGENT_STATUSES)[number];

/** Why an agent has its status. */
export const AGENT_HEALTH_REASONS = [
  'consecutive-failures',
  'error-rate',
  'response-time',
  'cooldown-elapsed',
  'probation-passed',
  'unseen',
  'heartbeat-resumed',
  'drain-requested',
] as const;
export type AgentHealthReason = (typeof AGENT_HEALTH_REASONS)[number];

/** How much work an agent takes: all that it has slots for, as much as a probation allows, or none. */
export const AGENT_INTAKES = ['all', 'few', 'none'] as const;
export type AgentIntake = (typeof AGENT_INTAKES)[number];

export const AGENT_EVENT_TYPES = ['agent-unhealthy', 'agent-probation', 'agent-recovered', 'agent-lost'] as const;
export type AgentEventType = (typeof AGENT_EVENT_TYPES)[number];

/** Something happened to an agent's health. Of the fleet, not of a run. */
export const agentEventZ = z.object({
  type: z.enum(AGENT_EVENT_TYPES),
  agentId: z.string(),
  /** Redis' clock, ms. */
  at: z.number(),
  reason: z.enum(AGENT_HEALTH_REASONS),
});
export type AgentEvent = z.infer<typeof agentEventZ>;

const share = z.number().min(0).max(1);

/**
 * How an agent's attempts ended lately. Only what speaks of the agent counts: see `countsAgainstAgent` in the engine.
 */
export const agentPerformanceZ = z.object({
  /** Length of the sliding window that `succeeded`, `failed` and `p95Ms` are of. */
  windowMs: z.number(),
  succeeded: z.number(),
  failed: z.number(),
  /** Of the attempts in the window; 1 and 0 when there were none. */
  successRate: share,
  errorRate: share,
  /** Different steps that failed one after the other, with no success between them. */
  consecutiveFailures: z.number(),
  /** Exponentially weighted mean of what attempts took. None before the first has ended. */
  responseTimeMs: z.number().optional(),
  p95Ms: z.number().optional(),
});
export type AgentPerformance = z.infer<typeof agentPerformanceZ>;
