import { z } from 'zod';
import { cleanupViewZ, stepErrorZ } from './views.ts';

/** Names that one list of a plan has at most. */
export const MOST_LISTED_IN_RETRY_PLAN = 1000;

/**
 * Why a step runs again: it failed; it had not settled when the run ended; it succeeded and was undone; it was asked for; it
 * needs one of them.
 */
export const RUN_AGAIN_REASONS = ['failed', 'unsettled', 'undone', 'asked-for', 'needs-one'] as const;
export type RunAgainReason = (typeof RUN_AGAIN_REASONS)[number];

export const stepToRunAgainZ = z.object({
  stepId: z.string(),
  why: z.enum(RUN_AGAIN_REASONS),
  /** It was undone: under its old idempotency key its effects would be dropped as repetitions. */
  newKey: z.boolean(),
  /** Of a step that a worker makes. */
  idempotencyKey: z.string().optional(),
  /** Of a map that had begun: items that run again, and how many of them have new keys. */
  items: z.object({ again: z.number(), newKeys: z.number() }).optional(),
});
export type StepToRunAgain = z.infer<typeof stepToRunAgainZ>;

const doneCleanupZ = cleanupViewZ.pick({ number: true, stepId: true, kind: true, use: true });

/** What a retry or redrive of an ended run does, or would do. */
export const retryPlanZ = z.object({
  counts: z.object({
    /** Steps that had begun and run again. */
    again: z.number(),
    /** Of those, steps and items with new idempotency keys. */
    newKeys: z.number(),
    /** Steps that run for the first time. */
    first: z.number(),
    undone: z.number(),
    failedCleanups: z.number(),
  }),
  /** The first thousand, in the order of the plan. */
  steps: z.array(stepToRunAgainZ),
  /** Failed steps that stay as they are: they were not asked for. The first thousand. */
  leftFailed: z.array(z.string()),
  /** Compensations and cleanups that succeeded when the run ended. The first thousand. */
  undone: z.array(doneCleanupZ),
  /**
   * Those that failed for good: whether their steps are undone nobody knows. The steps run again under their old keys, so what
   * still stands is not done twice. Make them again first where that is wrong. The first thousand.
   */
  failedCleanups: z.array(doneCleanupZ.extend({ error: stepErrorZ.optional() })),
});
export type RetryPlan = z.infer<typeof retryPlanZ>;
