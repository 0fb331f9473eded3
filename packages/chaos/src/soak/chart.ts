import { svgDocument, svgText } from '@flotilla/reporting';
import { type Metric, PROCESS_METRICS, REDIS_METRICS } from './bounds.ts';
import type { SoakResult } from './run-soak.ts';

interface Line {
  label: string;
  points: readonly { x: number; y: number }[];
}

const WIDTH = 860;
const LEFT = 80;
const RIGHT = 130;
const TOP = 70;
const PANEL = 110;
const GAP = 46;
const COLOURS = ['#1f6feb', '#c9b458', '#2da44e', '#8250df', '#bf3989', '#8a94a6'];
const MB = 1024 * 1024;

/** A panel for each metric, a line for each process that lived all the time; grey: what is no part of the slope; ticks: faults. */
export function drawSoak({ series, measured, faults }: SoakResult): string {
  const spared = series.processes.filter(({ isSpared }) => isSpared);
  const panels = [
    ...PROCESS_METRICS.map((metric) => ({
      title: titleOf(metric),
      lines: spared.map(({ id, samples }) => lineOf(id, metric, samples)),
    })),
    ...REDIS_METRICS.map((metric) => ({
      title: `Redis ${titleOf(metric)}`,
      lines: [lineOf('redis', metric, series.redis)],
    })),
  ];
  const xs = panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const [from, to] = extent(xs);
  const place = (x: number) => LEFT + ((x - from) / Math.max(1, to - from)) * (WIDTH - LEFT - RIGHT);
  const parts = panels.flatMap(({ title, lines }, index) => {
    const top = TOP + index * (PANEL + GAP);
    return [
      `<rect x="${LEFT}" y="${top}" width="${Math.max(0, place(measured.fromAt) - LEFT).toFixed(1)}" height="${PANEL}" fill="#eaeef2"/>`,
      ...faults.map(({ startAt }) => {
        const at = place(startAt).toFixed(1);
        return `<line x1="${at}" y1="${top}" x2="${at}" y2="${top + PANEL}" stroke="#cf222e" stroke-opacity="0.35"/>`;
      }),
      ...drawPanel(title, lines, top, place),
    ];
  });
  const height = TOP + panels.length * (PANEL + GAP);
  const minutes = ((to - from) / 60_000).toFixed(0);
  const subtitle = `${minutes} minutes; grey: warm-up, no part of the slopes; red: faults`;
  return svgDocument({ title: 'Soak', subtitle, width: WIDTH, height }, parts);
}

function titleOf({ name, unit }: Pick<Metric<never>, 'name' | 'unit'>): string {
  return unit === 'bytes' ? `${name}, MB` : name;
}

function lineOf<Sample extends { at: number }>(
  label: string,
  metric: Metric<Sample>,
  samples: readonly Sample[],
): Line {
  const scale = metric.unit === 'bytes' ? MB : 1;
  const points = samples.flatMap((sample) => {
    const y = metric.of(sample);
    return y === undefined ? [] : [{ x: sample.at, y: y / scale }];
  });
  return { label, points };
}

function extent(values: readonly number[]): [number, number] {
  const least = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const most = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  return Number.isFinite(least) ? [least, most] : [0, 1];
}

function drawPanel(title: string, lines: readonly Line[], top: number, place: (x: number) => number): string[] {
  const [, most] = extent(lines.flatMap(({ points }) => points.map(({ y }) => y)));
  const y = (value: number) => top + PANEL - (value / Math.max(most, 1e-9)) * PANEL;
  return [
    svgText(LEFT, top - 6, title, 'font-weight="600"'),
    `<rect x="${LEFT}" y="${top}" width="${WIDTH - LEFT - RIGHT}" height="${PANEL}" fill="none" stroke="#d0d7de"/>`,
    svgText(LEFT - 6, top + 10, most.toFixed(most < 10 ? 1 : 0), 'text-anchor="end" fill="#57606a"'),
    svgText(LEFT - 6, top + PANEL, '0', 'text-anchor="end" fill="#57606a"'),
    ...lines.flatMap(({ label, points }, index) => {
      const colour = COLOURS[index % COLOURS.length]!;
      const path = points.map((point) => `${place(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ');
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
        svgText(WIDTH - RIGHT + 8, top + 12 + index * 15, label, `fill="${colour}"`),
      ];
    }),
  ];
}
