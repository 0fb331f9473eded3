import { formatDuration } from '../format-time.ts';
import { cutTo, plainText } from '../plain-text.ts';
import type { RunProgress, SettledStep } from './run-progress.ts';

const WIDEST_BAR = 30;
const NARROWEST_BAR = 5;

/** The lines of a live view, none wider than the terminal: a bar with counts, then what runs now. */
export function renderProgress(progress: RunProgress, name: string, elapsedMs: number, columns: number): string[] {
  const { totalSteps, settled, running, counts, retries, items } = progress;
  const done = totalSteps === undefined ? `${settled} settled` : `${settled}/${totalSteps}`;
  const others = [
    `running ${running.size}`,
    ...(items.size > 0 ? [`items ${[...items.values()].reduce((sum, count) => sum + count, 0)}`] : []),
    ...(counts.failed + counts.quarantined > 0 ? [`failed ${counts.failed + counts.quarantined}`] : []),
    ...(counts.skipped > 0 ? [`skipped ${counts.skipped}`] : []),
    ...(counts.cancelled > 0 ? [`cancelled ${counts.cancelled}`] : []),
    ...(retries > 0 ? [`retries ${retries}`] : []),
    formatDuration(elapsedMs),
  ];
  const text = ` ${done}  ${others.join('  ')}`;
  const shownName = cutTo(plainText(name), Math.max(8, Math.floor(columns / 4)));
  const width = Math.min(WIDEST_BAR, columns - shownName.length - text.length - 2);
  const bar = totalSteps !== undefined && width >= NARROWEST_BAR ? ` ${progressBar(settled, totalSteps, width)}` : '';
  return [cutTo(`${shownName}${bar}${text}`, columns), ...runningLine(progress, columns)];
}

/** One settled step, for places where lines cannot be drawn again. */
export function settledLine(settled: SettledStep, progress: RunProgress): string {
  const took = settled.tookMs === undefined ? '' : ` (${formatDuration(settled.tookMs)})`;
  const reason = settled.status === 'succeeded' || settled.reason === undefined ? '' : `: ${plainText(settled.reason)}`;
  return `${placeOf(progress)} ${plainText(settled.stepId)} ${settled.status}${took}${reason}`;
}

/** Where the maps are that go on, for the same places: their items are too many for a line each. */
export function itemsLine(progress: RunProgress): string {
  const maps = Array.from(progress.items, ([map, count]) => `${plainText(map)}: ${count} items settled`);
  return `${placeOf(progress)} ${maps.join(', ')}`;
}

function placeOf({ settled, totalSteps }: RunProgress): string {
  const total = totalSteps === undefined ? '' : `/${totalSteps}`;
  return `[${String(settled).padStart(total.length - 1)}${total}]`;
}

function runningLine({ running }: RunProgress, columns: number): string[] {
  if (running.size === 0) return [];
  let line = '  ';
  let shown = 0;
  for (const { stepId, attempt } of running.values()) {
    const entry = `${shown === 0 ? '' : ', '}${plainText(stepId)}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;
    const rest = running.size - shown - 1;
    const room = rest === 0 ? 0 : ` and ${rest} more`.length;
    if (shown > 0 && line.length + entry.length + room > columns) break;
    line += entry;
    shown += 1;
  }
  const hidden = running.size - shown;
  return [cutTo(hidden === 0 ? line : `${line} and ${hidden} more`, columns)];
}

function progressBar(done: number, total: number, width: number): string {
  const filled = total === 0 ? width : Math.floor((Math.min(done, total) / total) * width);
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}
