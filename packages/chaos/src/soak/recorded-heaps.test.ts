import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { PROCESS_METRICS } from './bounds.ts';
import { type JudgedSeries, judgeSeries } from './judge-series.ts';
import { LAG_LIMITS_MS } from './process-sample.ts';

interface RecordedHeap {
  what: string;
  measuredMs: number;
  runs: number;
  /** Seconds after the start of the process, and bytes. */
  heap: readonly (readonly [number, number])[];
}

const HOUR_MS = 3_600_000;
const recorded = JSON.parse(readFileSync(new URL('./testing/recorded-heaps.json', import.meta.url), 'utf8')) as Record<
  'canary' | 'early' | 'hour',
  RecordedHeap
>;
const heap = PROCESS_METRICS.find(({ name }) => name === 'heap')!;
const lagCounts = LAG_LIMITS_MS.map(() => 0);

function judge({ measuredMs, runs, heap: points }: RecordedHeap): JudgedSeries & { bytesARun: number } {
  const samples = points.map(([seconds, heapBytes]) => {
    return { at: seconds * 1000, heapBytes, externalBytes: 0, rssBytes: 0, handles: 0, timers: 0, lagCounts };
  });
  const judged = judgeSeries(heap, samples, { measuredMs, runs })!;
  return { ...judged, bytesARun: ((judged.slope?.perX ?? 0) * measuredMs) / HOUR_MS / runs };
}

describe('heaps that real soaks recorded', () => {
  test('the canary, one kilobyte a run over three workers, is caught', () => {
    const { verdict, bytesARun, slope } = judge(recorded.canary);
    expect(verdict).toBe('grows');
    expect(bytesARun).toBeGreaterThan(341);
    expect(slope!.low).toBeGreaterThan(0);
  });

  test('the same minutes without a leak are not, although code is still compiled in them', () => {
    expect(judge(recorded.early).verdict).toBe('flat');
  });

  test('nor is an hour without a leak', () => {
    expect(judge(recorded.hour).verdict).not.toBe('grows');
  });

  test('an hour with the leak added to what was recorded is caught', () => {
    const { runs, measuredMs, heap: points } = recorded.hour;
    const bytesASecond = ((1024 / 3) * runs * 1000) / measuredMs;
    const leaking = points.map(([seconds, bytes]) => [seconds, bytes + bytesASecond * seconds] as const);
    expect(judge({ ...recorded.hour, heap: leaking }).verdict).toBe('grows');
  });
});
