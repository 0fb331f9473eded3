import { z } from 'zod';
import { RUN_STATUSES } from './states.ts';
import { cleanupViewZ } from './views.ts';

/** An ended run of which compensations or registered cleanups have failed for good. */
export const failedCleanupsZ = z.object({
  runId: z.string(),
  workflow: z.string(),
  version: z.string().optional(),
  status: z.enum(RUN_STATUSES),
  endedAt: z.number(),
  failed: z.number(),
  /** Being made again. */
  left: z.number(),
  /** The first twenty that are not made; none when the definition of the run cannot be read. */
  cleanups: z.array(cleanupViewZ),
});
export type FailedCleanups = z.infer<typeof failedCleanupsZ>;
export const failedCleanupListZ = z.object({ runs: z.array(failedCleanupsZ), cursor: z.string().optional() });
export type FailedCleanupList = z.infer<typeof failedCleanupListZ>;

export const cleanupRetriedZ = z.object({
  runId: z.string(),
  number: z.number(),
  /** True when it was already being retried. */
  alreadyRetried: z.boolean(),
});
export type CleanupRetried = z.infer<typeof cleanupRetriedZ>;
