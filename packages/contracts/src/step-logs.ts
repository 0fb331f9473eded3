import { z } from 'zod';
import { stepIdZ } from './http-api.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Lines that are kept of a step, of all its attempts; the oldest are dropped. */
export const MAX_STEP_LOG_LINES = 1000;
/** Characters of a line, fields and message together; what is longer is cut and says so. */
export const MAX_LOG_LINE_CHARACTERS = 4000;

export const logLineZ = z.object({
  /** From 0, per step, without gaps: what was dropped leaves the first line with a higher one. */
  seq: z.number(),
  at: z.number(),
  stepId: z.string(),
  attempt: z.number(),
  level: z.enum(LOG_LEVELS),
  message: z.string(),
  fields: z.record(z.string(), z.json()).optional(),
  /** True when it was longer than is kept. */
  cut: z.boolean().optional(),
});
export type LogLine = z.infer<typeof logLineZ>;

/** `GET /v1/runs/{runId}/steps/{stepId}/logs`: lines with a seq above `after`, the oldest first. */
export const stepLogsQueryZ = z.strictObject({
  after: z.coerce.number().int().min(-1).max(Number.MAX_SAFE_INTEGER).default(-1),
  attempt: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
});

export const stepLogsZ = z.object({
  lines: z.array(logLineZ),
  /** `after` of the following page. */
  next: z.number(),
  /** Lines of this step that are not kept any more, or were never stored because there were too many at once. */
  dropped: z.number(),
});
export type StepLogs = z.infer<typeof stepLogsZ>;

/** `GET /v1/runs/{runId}/logs`: which steps have lines. */
export const logIndexZ = z.object({
  steps: z.array(z.object({ stepId: stepIdZ, lines: z.number(), dropped: z.number() })),
});
export type LogIndex = z.infer<typeof logIndexZ>;
