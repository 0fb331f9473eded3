import { describe, expect, test } from '@jest/globals';
import { boundPerHour, PROCESS_METRICS } from './bounds.ts';
import { judgeLag, judgeSeries, lagQuantile } from './judge-series.ts';
import { LAG_LIMITS_MS, type ProcessSample } from './process-sample.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MB = 1024 * 1024;
const heap = PROCESS_METRICS.find(({ name }) => name === 'heap')!;
const openFiles = PROCESS_METRICS.find(({ name }) => name === 'open files')!;
/** Ten runs a second. */
const HOUR = { measuredMs: HOUR_MS, runs: 36_000 };

function sampleAt(at: number, values: Partial<ProcessSample>): ProcessSample {
  return { at, heapBytes: 0, externalBytes: 0, rssBytes: 0, handles: 5, timers: 1, lagCounts: [], ...values };
}

/** An hour of samples; `heapOf` gives megabytes at a share of it. */
function samplesOf(heapOf: (share: number, index: number) => number): ProcessSample[] {
  return Array.from({ length: 300 }, (_, index) =>
    sampleAt(index * 12_000, { heapBytes: heapOf(index / 300, index) * MB, fds: 20 }),
  );
}

/** Repeated unevenness of half a megabyte. */
const uneven = (index: number) => ((index * 37) % 11) / 20;

describe('the verdict on a series', () => {
  test('is flat where nothing grows', () => {
    expect(
      judgeSeries(
        heap,
        samplesOf((_, index) => 40 + uneven(index)),
        HOUR,
      ),
    ).toMatchObject({ verdict: 'flat' });
  });

  test('is flat where it grows by less than the bound', () => {
    expect(
      judgeSeries(
        heap,
        samplesOf((share, index) => 40 + share + uneven(index)),
        HOUR,
      )?.verdict,
    ).toBe('flat');
  });

  test('is flat where it shrinks', () => {
    expect(
      judgeSeries(
        heap,
        samplesOf((share, index) => 40 - 9 * share + uneven(index)),
        HOUR,
      )?.verdict,
    ).toBe('flat');
  });

  test('is that it grows where each run leaves a third of a kilobyte, which is the canary on one worker of three', () => {
    const leakedMb = (HOUR.runs * 341) / MB;
    const judged = judgeSeries(
      heap,
      samplesOf((share, index) => 40 + leakedMb * share + uneven(index)),
      HOUR,
    );
    expect(judged?.verdict).toBe('grows');
    expect((judged!.slope!.perX / HOUR.runs).toFixed(0)).toBe('341');
  });

  test('is open where the noise could hide growth beyond the bound', () => {
    const wild = samplesOf((share, index) => 40 + 4 * share + 60 * uneven(index * index)).slice(0, 16);
    expect(judgeSeries(heap, wild, HOUR)?.verdict).toBe('open');
  });

  test('is told as too short where there are too few samples', () => {
    expect(judgeSeries(heap, samplesOf(() => 40).slice(0, 5), HOUR)?.verdict).toBe('too short');
  });

  test('is that open files grow where one is left every two minutes', () => {
    const samples = samplesOf(() => 40).map((sample, index) => ({ ...sample, fds: 20 + Math.floor(index / 10) }));
    expect(judgeSeries(openFiles, samples, { ...HOUR, runs: 1000 })?.verdict).toBe('grows');
    expect(
      judgeSeries(
        openFiles,
        samplesOf(() => 40),
        HOUR,
      ),
    ).toMatchObject({ verdict: 'flat', level: 20 });
  });

  test('is left out where the metric is not to be had', () => {
    const samples = samplesOf(() => 40).map(({ fds: _fds, ...sample }) => sample);
    expect(judgeSeries(openFiles, samples, HOUR)).toBeUndefined();
  });
});

describe('the bound', () => {
  test('of a short soak is so much a run', () => {
    expect(boundPerHour(heap, { measuredMs: HOUR_MS, runs: 36_000 })).toBeCloseTo(3_600_000);
  });

  test('of a soak of less than half an hour is wider', () => {
    expect(boundPerHour(heap, { measuredMs: 10 * MINUTE_MS, runs: 6000 })).toBeCloseTo(9_000_000);
  });

  test('is never less than that of a day', () => {
    expect(boundPerHour(heap, { measuredMs: HOUR_MS, runs: 10 })).toBe(MB);
  });

  test('of a soak of a day is one megabyte an hour, however many runs it makes', () => {
    expect(boundPerHour(heap, { measuredMs: 24 * HOUR_MS, runs: 10_000_000 })).toBe(MB);
  });
});

describe('loop lag', () => {
  /** 990 looks in time, and ten late ones in the bucket below a limit. */
  const lagOf = (lateBelowMs: number) =>
    sampleAt(0, { lagCounts: LAG_LIMITS_MS.map((limit) => (limit === 1 ? 985 : limit === lateBelowMs ? 15 : 0)) });

  test('is that of all samples together', () => {
    expect(lagQuantile([lagOf(2)], 0.5)).toBeLessThan(1);
    expect(lagQuantile([lagOf(75), lagOf(75)], 0.99)).toBeCloseTo(50 + 25 / 3);
    expect(lagQuantile([lagOf(75), ...Array.from({ length: 9 }, () => lagOf(2))], 0.99)).toBeLessThan(2);
  });

  test('beyond the last limit is at least the one before', () => {
    expect(lagQuantile([lagOf(Number.POSITIVE_INFINITY)], 0.99)).toBe(5000);
  });

  test('of a process that is late by 50 ms is too much, unless an idle process is late too', () => {
    expect(judgeLag([lagOf(20)], [lagOf(2)]).verdict).toBe('in time');
    expect(judgeLag([lagOf(75)], [lagOf(2)]).verdict).toBe('late');
    expect(judgeLag([lagOf(75)], [lagOf(100)]).verdict).toBe('busy machine');
    expect(judgeLag([], [lagOf(2)]).verdict).toBe('not measured');
  });
});
