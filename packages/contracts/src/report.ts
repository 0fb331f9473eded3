import { z } from 'zod';

export const VERDICTS = ['ok', 'degraded', 'failing'] as const;
export type Verdict = (typeof VERDICTS)[number];

export const findingZ = z.object({
  /** One of FINDING_CODES; later releases may have more. */
  code: z.string(),
  severity: z.enum(['degraded', 'failing']),
  /** One sentence: what is wrong. */
  message: z.string(),
  /** The one thing to do next. */
  next: z.string(),
  /** A breaker, handler, agent, … */
  subject: z.string().optional(),
  /** Runs that it holds, where that is known. */
  runs: z.number().optional(),
  since: z.number().optional(),
  /** Query of `GET /v1/runs` that shows them: `waiting=breaker:payments`. */
  filter: z.string().optional(),
});
export type Finding = z.infer<typeof findingZ>;

export const FINDING_CODES = [
  'REDIS_MISCONFIGURED',
  'REDIS_SLOW',
  'STORAGE_FULL',
  'STORAGE_HOLDING',
  'LOOP_STALLED',
  'NO_WORKERS',
  'NO_HANDLER',
  'AGENT_UNHEALTHY',
  'AGENT_LOST',
  'BREAKER_OPEN',
  'QUEUE_STALLED',
  'OUTBOX_GROWING',
  'ERROR_BACK',
  'DEAD_LETTERS',
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** Deterministic: no model, no guess. The worst finding decides; the worst come first. */
export const reportZ = z.object({
  verdict: z.enum(VERDICTS),
  /** One sentence that can stand alone. */
  summary: z.string(),
  /** Redis' clock. */
  at: z.number(),
  findings: z.array(findingZ),
});
export type Report = z.infer<typeof reportZ>;
