import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { explain } from '@flotilla/checker';
import { markdownTable } from '@flotilla/reporting';
import { goneWithRedis } from '../driver/report.ts';
import { LAG_P99_BOUND_MS } from './bounds.ts';
import { drawSoak } from './chart.ts';
import type { JudgedSeries } from './judge-series.ts';
import { findFaultsOf, findUndecided, type JudgedProcess, judgeProcesses, verdictOf } from './judge-soak.ts';
import type { RedisSample } from './redis-sample.ts';
import type { SoakResult } from './run-soak.ts';

export interface SoakReport {
  result: SoakResult;
  processes: readonly JudgedProcess[];
  /** What is wrong; none: the soak is clean. */
  wrong: readonly string[];
  machine: { loadAverage: number; cores: number };
}

const MOST_TOLD = 20;
const HOUR_MS = 3_600_000;

export function reportOf(result: SoakResult, cores: number): SoakReport {
  const processes = judgeProcesses(result.series, { ...result.measured, pacePerSecond: result.pacePerSecond });
  const wrong = findFaultsOf(result, processes);
  return { result, processes, wrong, machine: { loadAverage: loadavg()[2] ?? Number.NaN, cores } };
}

/** The whole report as text. */
export function textOf(report: SoakReport): string {
  const { result, processes, wrong, machine } = report;
  const { runs, measured, times, capacityPerSecond, pacePerSecond, faults, violations } = result;
  const runsPerHour = (measured.runs * HOUR_MS) / measured.measuredMs;
  const minutes = (ms: number) => (ms / 60_000).toFixed(1);
  const made = Map.groupBy(faults, ({ planned }) => `${planned.id} ${planned.variant.name}`.trim());
  const faultList = Array.from(made, ([name, { length }]) => `${name} x${length}`).join(', ');
  return [
    growthTable(processes, runsPerHour),
    '',
    lagTable(processes),
    '',
    `measured   ${minutes(measured.measuredMs)} minutes after ${minutes(times.measureCapacityMs + times.settleMs)} of warm-up, a sample each ${(times.sampleEveryMs / 1000).toFixed(0)} s; runs stay ${(times.retentionMs / 1000).toFixed(0)} s`,
    `load       ${pacePerSecond.toFixed(1)} runs a second, half of the ${capacityPerSecond.toFixed(1)} that this fleet did here; ${(measured.runs / (measured.measuredMs / 1000)).toFixed(1)} ended, ${runs.heldBack.toFixed(0)} were held back`,
    `machine    ${machine.cores} cores, load average ${machine.loadAverage.toFixed(1)} at the end, of whatever else it does`,
    `faults     ${faults.length}: ${faultList || 'none'}; the longest recovery took ${(result.longestRecoveryMs / 1000).toFixed(1)} s`,
    `runs       ${runs.accepted} accepted, ${runs.ended} ended, ${runs.checked} histories checked, ${runs.unanswered.length} never answered`,
    `steps      ${result.steps} committed, ${result.doubleCommits} twice`,
    `at rest    ${atRestText(result.atRest)}`,
    `stray keys ${result.strayKeys.length}`,
    `with Redis ${goneWithRedis(result)}`,
    `violations ${violations.length}`,
    ...(violations.length > 0 ? ['', explain(violations.slice(0, MOST_TOLD))] : []),
    '',
    verdictOf(wrong, findUndecided(processes)),
    ...wrong.slice(0, MOST_TOLD),
    '',
  ].join('\n');
}

function growthTable(processes: readonly JudgedProcess[], runsPerHour: number): string {
  const rows = processes.flatMap(({ id, series }) =>
    series.map((judged) => {
      const { slope } = judged;
      const shown = (value: number | undefined, signed = true) => amount(judged, value, signed);
      return [
        id,
        judged.metric,
        shown(judged.level, false),
        shown(slope?.perX),
        slope === undefined ? '–' : `${shown(slope.low)} to ${shown(slope.high)}`,
        perRun(judged, runsPerHour),
        shown(judged.boundPerHour, false),
        judged.verdict,
      ];
    }),
  );
  const columns = ['process', 'what', 'level', 'slope/h', '95 % interval', 'a run', 'bound/h', 'verdict'];
  return markdownTable(columns, rows);
}

function lagTable(processes: readonly JudgedProcess[]): string {
  const rows = processes.flatMap(({ id, lag }) =>
    lag === undefined ? [] : [[id, lag.p99Ms, lag.idleP99Ms, LAG_P99_BOUND_MS, lag.verdict]],
  );
  const columns = [
    'process',
    { title: 'loop lag p99, ms', places: 1 },
    { title: 'of an idle process', places: 1 },
    'bound',
    'verdict',
  ];
  return markdownTable(columns, rows);
}

function atRestText({ before, after }: SoakResult['atRest']): string {
  if (before === undefined || after === undefined) return 'Redis did not answer';
  const of = ({ memoryBytes, keys }: RedisSample) => `${(memoryBytes / MB).toFixed(1)} MB and ${keys} keys`;
  return `Redis had ${of(before)} before the first run, and ${of(after)} when all had been removed`;
}

const MB = 1024 * 1024;

function amount({ unit }: JudgedSeries, value: number | undefined, signed: boolean): string {
  if (value === undefined) return '–';
  const sign = signed && value > 0 ? '+' : '';
  return unit === 'bytes' ? `${sign}${(value / MB).toFixed(2)} MB` : `${sign}${value.toFixed(1)}`;
}

function perRun({ unit, slope }: JudgedSeries, runsPerHour: number): string {
  if (slope === undefined || runsPerHour === 0) return '–';
  const value = slope.perX / runsPerHour;
  return unit === 'bytes' ? `${value.toFixed(0)} B` : value.toFixed(4);
}

/** The report for programs: one document, without the samples. */
export function jsonOf({ result, processes, wrong, machine }: SoakReport, keptIn: string): object {
  const { series: _series, logs: _logs, ...rest } = result;
  const notDecided = findUndecided(processes);
  return { ok: wrong.length === 0, wrong, notDecided, ...rest, machine, processes, keptIn };
}

/** Writes the report, all samples, a chart and the logs of the processes. */
export function keep(folder: string, report: SoakReport): void {
  const { result } = report;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'report.txt'), textOf(report));
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(jsonOf(report, folder), null, 2)}\n`);
  writeFileSync(join(folder, 'samples.json'), `${JSON.stringify({ measured: result.measured, ...result.series })}\n`);
  writeFileSync(join(folder, 'soak.svg'), drawSoak(result));
  mkdirSync(join(folder, 'logs'), { recursive: true });
  for (const [id, lines] of result.logs) writeFileSync(join(folder, 'logs', `${id}.log`), `${lines.join('\n')}\n`);
}
