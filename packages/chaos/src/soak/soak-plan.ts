import { type FaultId, faultOf } from '../driver/fault-table.ts';
import type { PlannedFault } from '../driver/plan-faults.ts';
import type { Chance } from '../random.ts';

/** How the time of a soak is used, in ms. */
export interface SoakTimes {
  /** The fleet at its limit: the first half to get there, the second to measure what it can do. */
  measureCapacityMs: number;
  /** At half of that, without faults, until caches are full and runs are removed as fast as they come. */
  settleMs: number;
  /** What the slopes are estimated from. */
  measureMs: number;
  sampleEveryMs: number;
  faultEveryMs: number;
  /** How long an ended run stays readable. */
  retentionMs: number;
}

const between = (least: number, value: number, most: number): number => Math.min(most, Math.max(least, value));

/** For a soak that lasts so long; coming to rest and checking come on top. */
export function soakTimes(durationMs: number): SoakTimes {
  const measureCapacityMs = between(10_000, durationMs * 0.05, 60_000);
  const retentionMs = between(30_000, durationMs / 20, 120_000);
  const settleMs = Math.max(retentionMs, durationMs * 0.2 - measureCapacityMs);
  return {
    measureCapacityMs,
    settleMs,
    measureMs: Math.max(20_000, durationMs - measureCapacityMs - settleMs),
    // A collection takes a good part of a tenth of a second, in each process.
    sampleEveryMs: between(2000, durationMs / 300, 12_000),
    faultEveryMs: between(25_000, durationMs / 12, 300_000),
    retentionMs,
  };
}

/** No fault takes more of the time until the next one, so that each is over, and its bound has passed, before that comes. */
const MOST_SHARE = 0.2;
/** Of the time between two, by which each may come later. */
const JITTER = 0.1;

export interface SoakPlanOptions {
  chance: Chance;
  faults: readonly FaultId[];
  times: Pick<SoakTimes, 'faultEveryMs' | 'measureMs'>;
  /** How many workers may be hit. */
  workers: number;
}

/** One fault after the other while it is measured, each kind in its turn and each time in another way. */
export function planSoakFaults({ chance, faults, times, workers }: SoakPlanOptions): PlannedFault[] {
  const { faultEveryMs, measureMs } = times;
  const planned: PlannedFault[] = [];
  const first = chance.between(0, faults.length - 1);
  for (let turn = 0; ; turn += 1) {
    const id = faults[(first + turn) % faults.length]!;
    const { variants, boundMs } = faultOf(id);
    const fitting = variants.filter(({ holdMs }) => holdMs <= faultEveryMs * MOST_SHARE);
    const round = Math.floor(turn / faults.length);
    const variant = fitting[round % fitting.length] ?? variants[0]!;
    const atMs = Math.round(faultEveryMs * (turn + 0.5 + chance.next() * JITTER));
    if (atMs + variant.holdMs + boundMs > measureMs) return planned;
    planned.push({ number: turn + 1, id, variant, atMs, slot: chance.between(0, workers - 1) });
  }
}
