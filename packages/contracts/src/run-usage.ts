import { z } from 'zod';

/** `GET /v1/runs/{runId}/usage`: what its attempts have told, those that failed or were lost included. */
export const runUsageZ = z.object({
  runId: z.string(),
  costUSD: z.number(),
  tokens: z.number(),
  /** What the definition allows. */
  budget: z.object({ costUSD: z.number().optional(), tokens: z.number().optional() }).optional(),
});
export type RunUsage = z.infer<typeof runUsageZ>;
