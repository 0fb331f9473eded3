import { z } from 'zod';
import { errorFingerprintZ } from './error-groups.ts';
import { idZ } from './ids.ts';
import { RUN_STATUSES } from './states.ts';
import { timestampQueryZ } from './timestamps.ts';
import { runViewZ } from './views.ts';
import { waitFilterZ } from './wait-reasons.ts';

const runFilterFields = {
  status: z.enum(RUN_STATUSES).optional(),
  workflow: idZ.optional(),
  tag: idZ.optional(),
  waiting: waitFilterZ.optional(),
  error: errorFingerprintZ.optional(),
};

/** All that are given must fit. `from` and `to`: created then, in milliseconds since 1970, both included. */
export const listRunsQueryZ = z.strictObject({
  ...runFilterFields,
  /** A run id, attempt id, idempotency key or trace id: the run that it belongs to. */
  id: z.string().min(1).max(256).optional(),
  from: timestampQueryZ.optional(),
  to: timestampQueryZ.optional(),
  cursor: z.string().max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  /** `true` adds `counts`. */
  counts: z.enum(['true', 'false']).optional(),
});
export type ListRunsQuery = z.infer<typeof listRunsQueryZ>;

/**
 * Of the runs that fit `workflow`, `tag`, `from` and `to`, by status and by reason for waiting (`breaker` and
 * `breaker:payments` both). Absent keys are zero.
 */
export const runCountsZ = z.object({
  status: z.partialRecord(z.enum(RUN_STATUSES), z.number()),
  waiting: z.record(z.string(), z.number()),
});
export type RunCounts = z.infer<typeof runCountsZ>;

export const runListZ = z.object({
  runs: z.array(runViewZ),
  cursor: z.string().optional(),
  counts: runCountsZ.optional(),
});
export type RunList = z.infer<typeof runListZ>;
