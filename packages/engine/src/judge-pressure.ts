/** How short a worker is of what its attempts need: `some` takes less work, `much` takes none for the moment. */
export type Pressure = 'none' | 'some' | 'much';

/** What a worker measured of itself. Bytes, milliseconds. */
export interface Resources {
  heapUsed: number;
  heapLimit: number;
  rss: number;
  /** What the machine or container has; undefined: not known. */
  memoryLimit: number | undefined;
  /** Open files and connections. */
  handles: number;
  /** How many the process may have; undefined: not known. */
  handleLimit: number | undefined;
  /** For how long altogether the event loop has been late, look after look, because of this process: see `SustainedLag`. */
  sustainedLagMs: number;
}

const HEAP_SOME = 0.65;
const HEAP_MUCH = 0.85;
const RSS_SOME = 0.8;
const RSS_MUCH = 0.9;
const HANDLES_SOME = 0.8;
const HANDLES_MUCH = 0.9;
const LAG_SOME_MS = 1500;
/** An attempt is taken to need no more than this before anything is known: a worker begins with as many as fit. */
const UNKNOWN_ATTEMPT_BYTES = 32 * 1024 * 1024;
/** With at least this much heap a slot, a worker takes all at once. */
const AMPLE_ATTEMPT_BYTES = 16 * 1024 * 1024;
const FIRST_SHARE = 0.1;

/** How short the worker is, of what, and how much of what is shortest is used. */
export function judgePressure(seen: Resources): { pressure: Pressure; of: string; share: number } {
  const parts = [
    { of: 'heap', share: seen.heapUsed / seen.heapLimit, some: HEAP_SOME, much: HEAP_MUCH },
    { of: 'memory', share: shareOf(seen.rss, seen.memoryLimit), some: RSS_SOME, much: RSS_MUCH },
    { of: 'handles', share: shareOf(seen.handles, seen.handleLimit), some: HANDLES_SOME, much: HANDLES_MUCH },
  ];
  const share = Math.max(...parts.map((part) => part.share));
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  for (const pressure of ['much', 'some'] as const) {
    const short = parts.find((part) => part.share >= part[pressure]);
    if (short !== undefined) return { pressure, of: `${short.of} ${percent(short.share)}`, share };
  }
  if (seen.sustainedLagMs >= LAG_SOME_MS) {
    return { pressure: 'some', of: `event loop ${Math.round(seen.sustainedLagMs)} ms late`, share };
  }
  return { pressure: 'none', of: '', share };
}

function shareOf(used: number, limit: number | undefined): number {
  return limit === undefined ? 0 : used / limit;
}

/**
 * How many attempts may begin before anything is known of what they use: all where even large ones fit, else a few. What
 * these are seen to use decides on the others.
 */
export function firstLimit(slots: number, heapLimit: number): number {
  if (heapLimit / slots >= AMPLE_ATTEMPT_BYTES) return slots;
  return Math.min(slots, Math.max(Math.ceil(slots * FIRST_SHARE), Math.floor(heapLimit / UNKNOWN_ATTEMPT_BYTES)));
}
