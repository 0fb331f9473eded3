import { BREAKER_STATES } from '@flotilla/contracts';
import { z } from 'zod';

/** What Redis holds of one breaker, times on Redis' clock; written by lua/fleet-breakers.lua alone. */
const recordZ = z.object({
  state: z.enum(BREAKER_STATES),
  since: z.number(),
  generation: z.number(),
  /** Since when it has not been closed, over all tries to close it. */
  openedAt: z.number().optional(),
  /**
   * Open: the next call that tests the way back may begin. Half-open: others look again then, whether the testing call is
   * through. Absent when a person opened it.
   */
  openUntil: z.number().optional(),
  /** When the last testing call began. */
  trialAt: z.number().optional(),
  /** Deadlines of the testing calls that run, by who makes them. */
  trials: z.record(z.string(), z.number()),
  /** So many testing calls may run at once; absent until the first has succeeded. */
  ramp: z.number().optional(),
  /** Steps whose trial has failed: `t`, or `o` when another's has succeeded since, so that the fault is their own. */
  tried: z.record(z.string(), z.enum(['t', 'o'])).optional(),
  manual: z.boolean().optional(),
  cause: z.string().optional(),
});
export type BreakerRecord = z.infer<typeof recordZ>;

/** A damaged record is one that nobody knows: it counts as closed until something happens. */
export function parseBreakerRecord(text: string): BreakerRecord | undefined {
  try {
    return recordZ.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export type BreakerJudgement =
  /** Calls may be made. */
  | { may: 'go' }
  /** A call may ask whether it is the one that tests the way back; so many at once. */
  | { may: 'ask'; calls: number }
  /** None before this time, on Redis' clock. `undefined`: until a person closes it. */
  | { may: 'wait'; until: number | undefined };

/** What a record means at a time: the part of the script's rules that readers need. */
export function judgeBreaker(record: BreakerRecord | undefined, now: number): BreakerJudgement {
  if (record === undefined || record.state === 'closed') return { may: 'go' };
  if (record.manual === true) return { may: 'wait', until: undefined };
  if (record.state === 'open') {
    const until = record.openUntil ?? now;
    return now < until ? { may: 'wait', until } : { may: 'ask', calls: 1 };
  }
  const deadlines = Object.values(record.trials);
  const free = (record.ramp ?? 1) - deadlines.length;
  const earliest = Math.min(...deadlines);
  // A trial that did not come back makes room for the next.
  if (free > 0 || earliest <= now) return { may: 'ask', calls: Math.max(1, free) };
  const look = record.openUntil ?? now;
  return { may: 'wait', until: look > now ? Math.min(look, earliest) : earliest };
}

/** Since when people say that the breaker is in its state: being open lasts over all failed tries to close it. */
export function sinceOf({ state, since, openedAt }: Pick<BreakerRecord, 'state' | 'since' | 'openedAt'>): number {
  return state === 'open' ? (openedAt ?? since) : since;
}

/** The reason that a step shows which a breaker keeps parked; state indexes parked steps by it. */
export const breakerReason = (name: string): string => `breaker:${name}`;
