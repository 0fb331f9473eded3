import { z } from 'zod';
import { RUN_STATUSES } from './states.ts';

/** What can hold a run or a step. */
export const GATES = [
  /** A need has not settled. */
  'dependency',
  /** Handed out, and no worker has taken it yet. */
  'queue',
  /** Every slot of those who could take it is taken, or a map makes as many items at once as it may. */
  'concurrency',
  /** No living agent has its handler or capability. */
  'handler',
  /** The agents that could make it are unhealthy. */
  'agent-health',
  /** Its dependency's breaker is open. */
  'breaker',
  /** A delay, or the wait before the next attempt. */
  'timer',
  /** An attempt is being made, or its worker's lease has to run out first. */
  'lease',
  /** The run is paused. */
  'pause',
  /** Redis is too full to hand out more. */
  'storage',
  /** Something from outside the run: a signal, a decision, a request, a child run. */
  'outside',
  /** The run is ending: attempts are being stopped, or what it has done is being undone. */
  'ending',
  /** The run was told to go on after its end: what is made anew is being taken back, and nothing of it starts. */
  'reopening',
] as const;
export type GateKind = (typeof GATES)[number];

export const gateZ = z.object({
  /** Absent: it holds the whole run. */
  stepId: z.string().optional(),
  gate: z.enum(GATES),
  /** What is waited for: a step, queue, handler, agent, breaker, timer or the run. */
  subject: z.string(),
  /** Milliseconds on Redis' clock. */
  since: z.number(),
  /** When it opens, or is looked at again, by itself; absent when that is not known. */
  until: z.number().optional(),
  message: z.string(),
});
export type Gate = z.infer<typeof gateZ>;

export const whyZ = z.object({
  runId: z.string(),
  status: z.enum(RUN_STATUSES),
  /** Redis' clock, to which `since` and `until` refer. */
  now: z.number(),
  gates: z.array(gateZ),
  /** True when there are more gates, or more steps than were looked at. */
  truncated: z.boolean(),
});
export type Why = z.infer<typeof whyZ>;
