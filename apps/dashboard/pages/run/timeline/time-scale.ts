/** A stretch in which nothing of the run was under way, drawn short. */
interface IdleStretch {
  from: number;
  to: number;
}

export interface TimeScale {
  /** From 0 to 1. */
  place: (at: number) => number;
  idle: readonly IdleStretch[];
}

interface Busy {
  from: number;
  to: number;
}

/** A stretch is idle when it is longer than this share of the whole, and than a second. */
const LEAST_IDLE_SHARE = 0.08;
const LEAST_IDLE_MS = 1000;
/** What an idle stretch takes of the width, and all of them together at most. */
const IDLE_WIDTH = 0.1;
const MOST_IDLE_WIDTH = 0.5;

/** Maps moments to places, with idle time collapsed. */
export function timeScale(from: number, to: number, busy: readonly Busy[]): TimeScale {
  const whole = Math.max(1, to - from);
  const idle = gaps(from, to, busy).filter(
    (gap) => gap.to - gap.from > Math.max(LEAST_IDLE_MS, whole * LEAST_IDLE_SHARE),
  );
  const idleMs = idle.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const width = Math.min(MOST_IDLE_WIDTH, idle.length * IDLE_WIDTH);
  const perIdle = idle.length === 0 ? 0 : width / idle.length;
  const perMs = (1 - width) / Math.max(1, whole - idleMs);
  const place = (at: number): number => {
    let position = 0;
    let cursor = from;
    for (const gap of idle) {
      if (at <= gap.from) break;
      position += (gap.from - cursor) * perMs;
      position += perIdle * Math.min(1, (at - gap.from) / (gap.to - gap.from));
      cursor = Math.min(at, gap.to);
    }
    return Math.min(1, Math.max(0, position + Math.max(0, at - cursor) * perMs));
  };
  return { place, idle };
}

function gaps(from: number, to: number, busy: readonly Busy[]): IdleStretch[] {
  const sorted = busy.toSorted((a, b) => a.from - b.from);
  const found: IdleStretch[] = [];
  let end = from;
  for (const each of sorted) {
    if (each.from > end) found.push({ from: end, to: each.from });
    end = Math.max(end, each.to);
  }
  if (to > end) found.push({ from: end, to });
  return found;
}

/** Some round moments for the axis. */
export function ticks(from: number, to: number, scale: TimeScale): { at: number; place: number }[] {
  const wanted = 7;
  const rough = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? power * 10;
  const found: { at: number; place: number }[] = [];
  for (let offset = 0; offset <= to - from; offset += step) {
    const place = scale.place(from + offset);
    const last = found.at(-1);
    if (last === undefined || place - last.place > 0.07) found.push({ at: from + offset, place });
  }
  return found;
}
