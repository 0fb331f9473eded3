import { median } from '@flotilla/reporting';
import { type ChartGroup, type ChartRow, drawChart } from './chart.ts';
import type { Figures } from './figures.ts';
import type { Machine } from './machine.ts';
import { TARGET_TITLES } from './tables.ts';

/** Every workload that ran beside BullMQ plain, as a multiple of it. */
export function ratioChart(figures: Figures, { date, cores, node, redis }: Machine): string {
  const groups: ChartGroup[] = figures.workloads().flatMap((workload) => {
    const rows = figures.targets(workload).flatMap((target): ChartRow[] => {
      const rounds = figures.timesPlain(workload, target);
      if (target === 'plain' || rounds.length === 0) return [];
      return [{ label: TARGET_TITLES[target], value: median(rounds), rounds, colour: target }];
    });
    return rows.length === 0 ? [] : [{ title: workload, rows }];
  });
  const latency = figures.latencyTimesPlain();
  if (latency.length > 0) {
    const row = { label: TARGET_TITLES.flotilla, value: median(latency), rounds: latency, colour: 'flotilla' as const };
    groups.push({ title: 'latency (the inverse: more is quicker)', rows: [row] });
  }
  const subtitle = `1 is BullMQ plain in the same round; bars are medians, ticks the rounds. ${date}, ${cores} cores, Node ${node}, Redis ${redis}`;
  return drawChart('Times BullMQ plain', subtitle, groups);
}
