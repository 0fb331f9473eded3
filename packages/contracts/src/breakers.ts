import { z } from 'zod';

export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** A breaker of the fleet, times in ms on Redis' clock. Known are those that a step has used within a day. */
export const breakerViewZ = z.object({
  name: z.string(),
  state: z.enum(BREAKER_STATES),
  /** When it came into this state. Open: since when calls are stopped, over all failed tries to close it. */
  since: z.number(),
  /** Open: the next call that tests the way back may begin then. Absent when it was opened by hand. */
  openUntil: z.number().optional(),
  /** Steps that it keeps waiting now. */
  parked: z.number(),
  /** True when a person opened it: it stays open until a person closes it. */
  manual: z.boolean(),
  /** Why it is not closed. */
  cause: z.string().optional(),
  /** Calls that test the way back and have not ended. */
  trials: z.number(),
});
export type BreakerView = z.infer<typeof breakerViewZ>;

export const breakerListZ = z.object({ breakers: z.array(breakerViewZ) });
export type BreakerList = z.infer<typeof breakerListZ>;
