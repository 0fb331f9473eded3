import { svgDocument, svgText } from '@flotilla/reporting';

/** Bars on a logarithmic scale, one line each. */
export interface ChartRow {
  label: string;
  /** Above 0. */
  value: number;
  /** What was measured in each round, shown as ticks. */
  rounds: readonly number[];
  colour: 'plain' | 'limit' | 'flotilla';
}

export interface ChartGroup {
  title: string;
  rows: readonly ChartRow[];
}

const COLOURS = { plain: '#8a94a6', limit: '#c9b458', flotilla: '#1f6feb' } as const;
const WIDTH = 860;
const LEFT = 150;
const RIGHT = 70;
const TOP = 56;
const ROW = 22;
const GROUP_GAP = 30;

/** An SVG document: 1 is a line, and each bar goes from there to its ratio. */
export function drawChart(title: string, subtitle: string, groups: readonly ChartGroup[]): string {
  const values = groups.flatMap(({ rows }) => rows.flatMap(({ value, rounds }) => [value, ...rounds]));
  const x = logarithmicScale(Math.min(0.5, ...values), Math.max(2, ...values));
  const parts: string[] = [];
  let y = TOP;
  for (const group of groups) {
    y += GROUP_GAP;
    parts.push(svgText(LEFT, y - 8, group.title, 'font-weight="600"'));
    for (const row of group.rows) {
      parts.push(...drawRow(row, y, x));
      y += ROW;
    }
  }
  const height = y + 40;
  const grid = x.ticks.map((tick) => {
    const at = x.place(tick).toFixed(1);
    const stroke = tick === 1 ? '#57606a' : '#d0d7de';
    return `<line x1="${at}" y1="${TOP}" x2="${at}" y2="${y}" stroke="${stroke}"/>${svgText(Number(at), y + 18, `${tick}`, 'text-anchor="middle" fill="#57606a"')}`;
  });
  return svgDocument({ title, subtitle, width: WIDTH, height }, [...grid, ...parts]);
}

interface Scale {
  place: (value: number) => number;
  ticks: readonly number[];
}

function logarithmicScale(least: number, most: number): Scale {
  const [low, high] = [Math.log10(least), Math.log10(most)];
  const place = (value: number) => LEFT + ((Math.log10(value) - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
  const ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];
  return { place, ticks: ticks.filter((tick) => tick >= least && tick <= most) };
}

function drawRow({ label, value, rounds, colour }: ChartRow, y: number, x: Scale): string[] {
  const [from, to] = [x.place(1), x.place(value)].toSorted((a, b) => a - b) as [number, number];
  const middle = y + ROW / 2;
  const ends = Math.max(to, ...rounds.map(x.place));
  return [
    svgText(LEFT - 8, middle + 4, label, 'text-anchor="end"'),
    `<rect x="${from.toFixed(1)}" y="${y + 4}" width="${Math.max(1.5, to - from).toFixed(1)}" height="${ROW - 8}" rx="2" fill="${COLOURS[colour]}"/>`,
    ...rounds.map((round) => {
      const at = x.place(round).toFixed(1);
      return `<line x1="${at}" y1="${y + 2}" x2="${at}" y2="${y + ROW - 2}" stroke="#24292f" stroke-opacity="0.45"/>`;
    }),
    svgText(ends + 6, middle + 4, value.toFixed(2), ''),
  ];
}
