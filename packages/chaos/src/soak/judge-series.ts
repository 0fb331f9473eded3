import { median } from '@flotilla/reporting';
import { boundPerHour, LAG_P99_BOUND_MS, type Measured, type Metric } from './bounds.ts';
import { LAG_LIMITS_MS, type ProcessSample } from './process-sample.ts';
import { type Slope, slopeOf } from './slope.ts';

/**
 * `flat`: it grows by less than the bound, with 95 % confidence, or not at all. `grows`: it grows, and by more than the
 * bound. `open`: its interval contains 0, and also growth beyond the bound: too short or too noisy to say more.
 */
type SeriesVerdict = 'flat' | 'grows' | 'open' | 'too short';

export interface JudgedSeries {
  metric: string;
  unit: 'bytes' | 'count';
  samples: number;
  /** Median. */
  level: number;
  /** An hour. */
  slope?: Slope;
  boundPerHour: number;
  verdict: SeriesVerdict;
}

const HOUR_MS = 3_600_000;

/** Judges samples from which the warm-up has been left out. Undefined when the metric is not to be had here. */
export function judgeSeries<Sample extends { at: number }>(
  metric: Metric<Sample>,
  samples: readonly Sample[],
  measured: Measured,
): JudgedSeries | undefined {
  const points = samples.flatMap((sample) => {
    const y = metric.of(sample);
    return y === undefined ? [] : [{ x: sample.at / HOUR_MS, y }];
  });
  if (points.length === 0) return undefined;
  const bound = boundPerHour(metric, measured);
  const slope = slopeOf(points, { leaveOutFalls: metric.fallsAtOnce ?? false });
  return {
    metric: metric.name,
    unit: metric.unit,
    samples: points.length,
    level: median(points.map(({ y }) => y)),
    ...(slope === undefined ? {} : { slope }),
    boundPerHour: bound,
    verdict: verdictOf(slope, bound),
  };
}

function verdictOf(slope: Slope | undefined, bound: number): SeriesVerdict {
  if (slope === undefined) return 'too short';
  if (slope.high <= bound || slope.perX <= 0) return 'flat';
  if (slope.low <= 0) return 'open';
  return slope.perX < bound ? 'flat' : 'grows';
}

export interface JudgedLag {
  /** Of the process. */
  p99Ms: number;
  /** Of a process that does nothing: what the machine alone makes of it. */
  idleP99Ms: number;
  /** `busy machine`: it is late, and so is a process that does nothing. */
  verdict: 'in time' | 'late' | 'busy machine' | 'not measured';
}

export function judgeLag(samples: readonly ProcessSample[], idle: readonly ProcessSample[]): JudgedLag {
  const [p99Ms, idleP99Ms] = [lagQuantile(samples, 0.99), lagQuantile(idle, 0.99)];
  if (Number.isNaN(p99Ms)) return { p99Ms, idleP99Ms, verdict: 'not measured' };
  if (p99Ms < LAG_P99_BOUND_MS) return { p99Ms, idleP99Ms, verdict: 'in time' };
  return { p99Ms, idleP99Ms, verdict: idleP99Ms < LAG_P99_BOUND_MS ? 'late' : 'busy machine' };
}

/** Of all samples together; between two limits as if it were spread evenly. */
export function lagQuantile(samples: readonly Pick<ProcessSample, 'lagCounts'>[], share: number): number {
  const counts = LAG_LIMITS_MS.map((_, index) => samples.reduce((sum, { lagCounts }) => sum + lagCounts[index]!, 0));
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  let before = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && before + count >= wanted) {
      const from = LAG_LIMITS_MS[index - 1] ?? 0;
      const to = LAG_LIMITS_MS[index]!;
      return Number.isFinite(to) ? from + ((to - from) * (wanted - before)) / count : from;
    }
    before += count;
  }
  return Number.NaN;
}
