import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain, type Violation, writeRecording } from '@flotilla/checker';
import { leastCompletionRate } from './completion-rate.ts';
import { type FaultId, faultOf } from './fault-table.ts';
import { median } from './recoveries.ts';
import type { ChaosResult, MadeFault } from './run-chaos.ts';

/** One row of the table: a fault, each way of it by itself. */
interface FaultRow {
  fault: FaultId;
  variant: string;
  what: string;
  count: number;
  /** How many of them showed an effect. */
  hit: number;
  /** Steps and runs that had to recover. */
  recovered: number;
  medianRecoveryMs?: number;
  longestRecoveryMs?: number;
  longestRejoinMs?: number;
  /** The widest that was applied: that of the fault, or 30 s where others were going on beside it. */
  boundMs: number;
}

/** True when nothing was wrong, every submission was answered and every fault had an effect. */
export function isClean({ problems, violations, faults, runs }: ChaosResult): boolean {
  return (
    problems.length === 0 &&
    violations.length === 0 &&
    runs.unanswered === runs.unansweredWithRedis &&
    faults.every(({ proof }) => proof.length > 0)
  );
}

function rowsOf(faults: readonly MadeFault[]): FaultRow[] {
  const groups = Map.groupBy(faults, ({ planned }) => `${planned.id} ${planned.variant.name}`);
  return [...groups.values()]
    .map((group): FaultRow => {
      const [{ planned }] = group as [MadeFault, ...MadeFault[]];
      const recoveries = group.flatMap(({ recoveriesMs }) => recoveriesMs);
      const rejoins = group.flatMap(({ rejoinMs }) => rejoinMs ?? []);
      const medianMs = median(recoveries);
      return {
        fault: planned.id,
        variant: planned.variant.name,
        what: faultOf(planned.id).what,
        count: group.length,
        hit: group.filter(({ proof }) => proof.length > 0).length,
        recovered: recoveries.length,
        ...(medianMs === undefined ? {} : { medianRecoveryMs: medianMs, longestRecoveryMs: Math.max(...recoveries) }),
        ...(rejoins.length === 0 ? {} : { longestRejoinMs: Math.max(...rejoins) }),
        boundMs: Math.max(...group.map(({ boundMs }) => boundMs)),
      };
    })
    .sort((a, b) => Number(a.fault.slice(1)) - Number(b.fault.slice(1)));
}

const HEADER = ['fault', 'what', 'made', 'hit', 'recovered', 'median', 'longest', 'rejoined', 'bound'];

/** The whole result as text. */
export function textOf(result: ChaosResult): string {
  const { runs, longestStall, treated, violations, problems } = result;
  const rows = rowsOf(result.faults).map((row) => [
    `${row.fault} ${row.variant}`.trim(),
    row.what,
    String(row.count),
    row.hit === row.count ? String(row.hit) : `${row.hit} NO EFFECT`,
    String(row.recovered),
    seconds(row.medianRecoveryMs),
    seconds(row.longestRecoveryMs),
    seconds(row.longestRejoinMs),
    seconds(row.boundMs),
  ]);
  const widths = HEADER.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ');
  return [
    [HEADER, ...rows].map(line).join('\n').replace(/ +$/gm, ''),
    '',
    `runs       ${runs.submitted} accepted, ${runs.ended} ended (${runs.succeeded} succeeded), ${runs.lost} lost, ${runs.unanswered} never answered`,
    `completion ${completionOf(runs)}`,
    `steps      ${result.steps} committed, ${result.doubleCommits} twice, ${result.refusedCommits} late results refused`,
    `treated    ${treated.keysAgain} keys used again, ${treated.progressFound} attempts went on from saved progress, ${treated.cancelled} runs cancelled, ${treated.compensations} steps undone`,
    `stall      ${seconds(longestStall.ms)} at the longest (${longestStall.runId}, after event ${longestStall.afterSeq})`,
    `with Redis ${goneWithRedis(result)}`,
    `violations ${violations.length}${violations.length === 0 ? '' : ` (${countsOf(violations)})`}`,
    ...(violations.length > 0 ? ['', explain(violations.slice(0, 20))] : []),
    ...(problems.length > 0 ? ['', ...problems.slice(0, 20)] : []),
    '',
  ].join('\n');
}

/** The result for programs: one document, without the recording. */
export function jsonOf(result: ChaosResult, keptIn: string | undefined): object {
  const { recording: _recording, logs: _logs, faults, ...rest } = result;
  return {
    ok: isClean(result),
    ...rest,
    leastCompletionRate: leastCompletionRate(rest.runs.predicted - rest.runs.asPredicted, rest.runs.predicted),
    table: rowsOf(faults),
    faults: faults.map(({ planned, recoveriesMs, ...fault }) => ({ ...planned, ...fault, recoveriesMs })),
    ...(keptIn === undefined ? {} : { keptIn }),
  };
}

/** What a Redis that was killed took with it, which is no violation: it had answered and not yet written. */
export function goneWithRedis({ lostWithRedis }: Pick<ChaosResult, 'lostWithRedis'>): string {
  if (lostWithRedis.length === 0) return 'nothing was lost that a killed Redis had acknowledged';
  const runs = lostWithRedis.filter(({ invariant }) => invariant === 'V1').length;
  const oldestMs = Math.max(...lostWithRedis.map(({ unwrittenAgeMs = 0 }) => unwrittenAgeMs));
  const others = countsOf(lostWithRedis.filter(({ invariant }) => invariant !== 'V1'));
  return `${runs} runs${others === '' ? '' : ` and more (${others})`} that a killed Redis had acknowledged and not yet written, up to ${oldestMs} ms before`;
}

/** Lost runs count as failed, those that went with a killed Redis are left out. */
function completionOf({ asPredicted, predicted }: ChaosResult['runs']): string {
  const least = leastCompletionRate(predicted - asPredicted, predicted);
  return `${asPredicted} of ${predicted} ended as their definitions predict; at least ${percent(least)} with 95 % confidence`;
}

/** Rounded down: what is claimed must hold. */
function percent(share: number): string {
  return `${(Math.floor(share * 100_000) / 1000).toFixed(3)} %`;
}

function countsOf(violations: readonly Violation[]): string {
  const groups = Map.groupBy(violations, ({ invariant }) => invariant);
  return Array.from(groups, ([invariant, { length }]) => `${invariant} ${length}`).join(', ');
}

function seconds(ms: number | undefined): string {
  if (ms === undefined) return '-';
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : 'never';
}

/** Writes everything that is needed to see what happened: recording, logs of the processes, the report. */
export function keep(folder: string, result: ChaosResult): void {
  mkdirSync(join(folder, 'logs'), { recursive: true });
  writeRecording(join(folder, 'recording'), result.recording);
  for (const [id, lines] of result.logs) writeFileSync(join(folder, 'logs', `${id}.log`), `${lines.join('\n')}\n`);
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(jsonOf(result, folder), null, 2)}\n`);
  writeFileSync(join(folder, 'report.txt'), textOf(result));
}
