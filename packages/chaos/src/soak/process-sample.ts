/** What the probe writes about the process that it is in. */
export interface ProcessSample {
  /** Wall clock. */
  at: number;
  /** After a collection. */
  heapBytes: number;
  /** Buffers and the like, outside of the heap. */
  externalBytes: number;
  rssBytes: number;
  /** What keeps an event loop alive: sockets, servers, pipes; timers not counted. */
  handles: number;
  timers: number;
  /** Open files and sockets; none where there is no /proc. */
  fds?: number;
  /** How often a timer was late by less than each of `LAG_LIMITS_MS`, since the sample before. */
  lagCounts: readonly number[];
}

export const LAG_LIMITS_MS: readonly number[] = [
  1,
  2,
  5,
  10,
  15,
  20,
  25,
  30,
  40,
  50,
  75,
  100,
  150,
  200,
  300,
  500,
  1000,
  2000,
  5000,
  Number.POSITIVE_INFINITY,
];

export function sampleFile(pid: number): string {
  return `${pid}.jsonl`;
}
