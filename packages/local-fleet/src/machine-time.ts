import { readFileSync } from 'node:fs';

/**
 * Time as a machine would have taken that has a processor for everybody: of the time in which something waited for one,
 * only a sixth counts. So bounds are kept to the letter on a quiet machine, and on one that others use they are up to six
 * times as long, by what the kernel has seen and not by what one fears.
 */
const COUNTED_SHARE = 1 / 6;
/** How much later than on a quiet machine something may be at most. */
export const MAX_SLOWDOWN = 1 / COUNTED_SHARE;

interface Reading {
  /** Wall clock, and the monotonic clock. */
  at: number;
  monotonicMs: number;
  /** Since the machine started: how long something that could run had to wait for a processor. */
  starvedMs: number;
}

function read(): Reading {
  return { at: Date.now(), monotonicMs: performance.now(), starvedMs: starvedMs() };
}

/** Linux' pressure stall information. Where there is none nothing is known of waits, and the clock on the wall counts. */
function starvedMs(): number {
  try {
    return Number(/^some .*total=(\d+)/m.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1] ?? 0) / 1000;
  } catch {
    return 0;
  }
}

function countedMs(from: Reading, to: Reading): number {
  const passedMs = to.monotonicMs - from.monotonicMs;
  const starved = Math.min(passedMs, Math.max(0, to.starvedMs - from.starvedMs));
  return passedMs - starved * (1 - COUNTED_SHARE);
}

/** Gives a function that says how much machine time has passed since. */
export function startStopwatch(): () => number {
  const from = read();
  return () => countedMs(from, read());
}

export interface MachineTimeline {
  /** The machine time between two moments of the wall clock, which must lie in the recording. */
  between(fromMs: number, toMs: number): number;
  stop(): void;
}

const READ_EVERY_MS = 100;

/** Records machine time, for bounds between moments that are known only afterwards, such as those of a history. */
export function recordMachineTime(): MachineTimeline {
  const readings = [read()];
  const timer = setInterval(() => readings.push(read()), READ_EVERY_MS);
  timer.unref();
  return {
    between(fromMs, toMs) {
      if (!Number.isFinite(toMs) || !(toMs > fromMs)) return toMs - fromMs;
      readings.push(read());
      const before = readings.findLast(({ at }) => at <= fromMs) ?? readings[0];
      const after = readings.find(({ at }) => at >= toMs) ?? readings.at(-1);
      if (before === undefined || after === undefined || before === after) return toMs - fromMs;
      return ((toMs - fromMs) * countedMs(before, after)) / (after.monotonicMs - before.monotonicMs);
    },
    stop: () => clearInterval(timer),
  };
}
