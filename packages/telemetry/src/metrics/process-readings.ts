import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meters, Reading } from './meters.ts';
import { NO_METERS } from './meters.ts';

const RESOLUTION_MS = 20;
const WINDOW_MS = 1000;
const NS_PER_MS = 1_000_000;
const QUANTILES = [0.5, 0.99, 1] as const;

/** Tells how the process itself is doing: the delay of its event loop in the last second, and its memory. */
export function observeProcess(meters: Meters): void {
  if (meters === NO_METERS) return;
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let last = QUANTILES.map(() => 0);
  setInterval(() => {
    last = readQuantiles(histogram);
    histogram.reset();
  }, WINDOW_MS).unref();
  meters.observe(['flotilla_event_loop_lag_ms', 'flotilla_process_memory_bytes'], () => {
    const { rss, heapUsed } = process.memoryUsage();
    const lags = QUANTILES.map(
      (quantile, index): Reading => ({
        name: 'flotilla_event_loop_lag_ms',
        value: last[index] ?? 0,
        labels: { quantile: String(quantile) },
      }),
    );
    return [
      ...lags,
      { name: 'flotilla_process_memory_bytes', value: rss, labels: { kind: 'rss' } },
      { name: 'flotilla_process_memory_bytes', value: heapUsed, labels: { kind: 'heap' } },
    ];
  });
}

/** What is measured is a timer's interval: its own length is no delay. */
function readQuantiles(histogram: ReturnType<typeof monitorEventLoopDelay>): number[] {
  return QUANTILES.map((quantile) => {
    const ns = quantile === 1 ? histogram.max : histogram.percentile(quantile * 100);
    return Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  });
}
