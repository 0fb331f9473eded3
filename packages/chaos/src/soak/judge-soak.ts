import { type Measured, PROCESS_METRICS, REDIS_METRICS } from './bounds.ts';
import { type JudgedLag, type JudgedSeries, judgeLag, judgeSeries } from './judge-series.ts';
import type { SoakResult } from './run-soak.ts';
import type { ProcessSeries, Series } from './sampler.ts';

export interface JudgedProcess {
  /** `s-…` or `w-…`, `idle`, or `redis`. */
  id: string;
  kind: 'scheduler' | 'worker' | 'idle' | 'redis';
  series: readonly JudgedSeries[];
  /** None of Redis, whose loop nobody can look at. */
  lag?: JudgedLag;
}

export interface Window extends Measured {
  /** Runs a second that were to be made. */
  pacePerSecond: number;
  /** Wall clock. */
  fromAt: number;
  untilAt: number;
}

/** In its first minutes every process grows: code is compiled, caches fill. What was measured then says nothing. */
const LEAST_MEASURED_MS = 6 * 60_000;

/** With less of it the pace was not kept: others had the machine. */
const KEPT_PACE = 0.9;

/** Everything that lived while it was measured and that no fault was meant for. */
export function judgeProcesses({ processes, redis }: Series, window: Window): JudgedProcess[] {
  const within = <Sample extends { at: number }>(samples: readonly Sample[]) =>
    samples.filter(({ at }) => at >= window.fromAt && at <= window.untilAt);
  const ripe = (series: readonly JudgedSeries[]) =>
    window.measuredMs < LEAST_MEASURED_MS ? series.map((one) => ({ ...one, verdict: 'too short' as const })) : series;
  // What is in Redis is what the last runs left, so it goes up and down with the pace.
  const isUneven = (window.runs * 1000) / window.measuredMs < window.pacePerSecond * KEPT_PACE;
  const unlessUneven = (series: readonly JudgedSeries[]) =>
    series.map((one) => (isUneven && one.verdict === 'grows' ? { ...one, verdict: 'open' as const } : one));
  const idle = within(processes.find(({ kind }) => kind === 'idle')?.samples ?? []);
  const judge = ({ id, kind, samples }: ProcessSeries): JudgedProcess => ({
    id,
    kind,
    series: ripe(PROCESS_METRICS.flatMap((metric) => judgeSeries(metric, within(samples), window) ?? [])),
    lag: judgeLag(within(samples), idle),
  });
  return [
    ...processes.filter(({ isSpared }) => isSpared).map(judge),
    {
      id: 'redis',
      kind: 'redis',
      series: unlessUneven(ripe(REDIS_METRICS.flatMap((metric) => judgeSeries(metric, within(redis), window) ?? []))),
    },
  ];
}

/** What is wrong, a sentence each; none when the soak is clean. */
export function findFaultsOf(result: SoakResult, processes: readonly JudgedProcess[]): string[] {
  const { faults, problems, violations, lostWithRedis, strayKeys, doubleCommits, runs } = result;
  // Nobody can read the history of a run that has gone.
  const gone = lostWithRedis.filter(({ invariant }) => invariant === 'V1').length;
  const unchecked = runs.ended - runs.checked - gone;
  return [
    ...processes.flatMap(({ id, series, lag }) => [
      ...(series.length === 0 ? [`nothing was measured of ${id}`] : []),
      ...series.filter(({ verdict }) => verdict === 'grows').map(({ metric }) => `${metric} of ${id} grows`),
      ...(lag?.verdict === 'late' ? [`the event loop of ${id} is late: p99 ${lag.p99Ms.toFixed(0)} ms`] : []),
    ]),
    ...(faults.length === 0 ? ['no fault was made'] : []),
    ...faults
      .filter(({ proof }) => proof.length === 0)
      .map(({ planned, problem }) => {
        return `fault ${planned.number} ${planned.id} did not hit${problem === undefined ? '' : `: ${problem}`}`;
      }),
    ...(runs.unanswered.length > 0
      ? [`${runs.unanswered.length} submissions were never answered: ${runs.unanswered[0]}`]
      : []),
    ...(violations.length > 0 ? [`${violations.length} violations`] : []),
    ...(doubleCommits > 0 ? [`${doubleCommits} steps were committed twice`] : []),
    ...(unchecked > 0 ? [`${unchecked} histories were not checked`] : []),
    ...problems,
    ...strayKeys,
  ];
}

/** Of what nothing was found out: whether it grows may be seen in a longer soak, or on a quieter machine. */
export function findUndecided(processes: readonly JudgedProcess[]): string[] {
  return processes.flatMap(({ id, series }) =>
    series
      .filter(({ verdict }) => verdict === 'open' || verdict === 'too short')
      .map(({ metric, verdict }) => `${metric} of ${id}${verdict === 'open' ? '' : ` (${verdict})`}`),
  );
}

/** The last word. */
export function verdictOf(wrong: readonly string[], undecided: readonly string[]): string {
  const first = wrong.length === 0 ? 'CLEAN' : 'NOT CLEAN';
  return undecided.length === 0 ? first : `${first}, and not decided: ${undecided.join(', ')}`;
}
