import { z } from 'zod';

/** What became of a signal. */
export const signalSentZ = z.object({
  runId: z.string(),
  name: z.string(),
  /** Number of the message within its run. */
  seq: z.number(),
  /** The step that got it; absent: it is kept until a step waits for it. */
  deliveredTo: z.string().optional(),
  /** True when the same idempotency key has sent it before. */
  deduplicated: z.boolean(),
});
export type SignalSent = z.infer<typeof signalSentZ>;
