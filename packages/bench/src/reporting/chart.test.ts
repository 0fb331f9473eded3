import { expect, test } from '@jest/globals';
import { noSamples } from '../measuring/sample.ts';
import { type ChartRow, drawChart } from './chart.ts';
import { Figures } from './figures.ts';
import { ratioChart } from './ratio-chart.ts';
import { sample } from './testing/fixture-samples.ts';

const ROW: ChartRow = { label: 'Flotilla', value: 2, rounds: [1.8, 2, 2.4], colour: 'flotilla' };

function numbers(svg: string, element: string, attribute: string): number[] {
  return Array.from(svg.matchAll(new RegExp(`<${element} [^>]*?\\b${attribute}="([\\d.]+)"`, 'g')), ([, number]) =>
    Number(number),
  );
}

test('a bar goes from the line of 1 to its ratio, to the left when it is below', () => {
  const svg = drawChart('t', 's', [{ title: 'chain', rows: [ROW, { ...ROW, value: 0.5, rounds: [0.5] }] }]);
  const [above, below] = Array.from(
    svg.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)" [^>]*rx/g),
    ([, x, width]) => ({ from: Number(x), to: Number(x) + Number(width) }),
  );
  expect(above!.from).toBeCloseTo(below!.to, 0);
  expect(above!.to - above!.from).toBeCloseTo(below!.to - below!.from, 0);
});

test.each([
  ['none', []],
  ['small ones', [0.004]],
  ['large ones', [75]],
  ['both', [0.02, 80, 1]],
])('everything stays inside the picture with ratios that are %s', (_title, values) => {
  const rows = values.map((value) => ({ ...ROW, value, rounds: [value * 0.9, value * 1.1] }));
  const svg = drawChart('Title', 'Subtitle', [{ title: 'chain', rows }]);
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
  const across = ['x', 'x1', 'x2'].flatMap((name) =>
    ['rect', 'line', 'text'].flatMap((kind) => numbers(svg, kind, name)),
  );
  const down = ['y', 'y1', 'y2'].flatMap((name) =>
    ['rect', 'line', 'text'].flatMap((kind) => numbers(svg, kind, name)),
  );
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(Math.max(...across)).toBeLessThanOrEqual(width!);
  expect(Math.max(...down)).toBeLessThanOrEqual(height!);
});

test('text that looks like markup is shown as text', () => {
  const svg = drawChart('a < b & "c"', 's', [{ title: '<script>', rows: [ROW] }]);
  expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
  expect(svg).not.toContain('<script>');
});

test('the chart of a measurement has what ran beside BullMQ plain', () => {
  const samples = noSamples();
  samples.samples.push(
    sample('chain', 'plain', 1, 2),
    sample('chain', 'limit', 1, 0.1),
    sample('chain', 'flotilla', 1, 1),
  );
  samples.samples.push(sample('big-fan', 'flotilla', 1, 1));
  const machine = {
    date: '2026-11-22',
    processor: 'p',
    cores: 2,
    memoryGb: 8,
    node: 'v24',
    redis: '7',
    loadBefore: 0,
    loadAfter: 0,
  };
  const svg = ratioChart(new Figures(samples), machine);
  expect(svg).toContain('>chain<');
  expect(svg).toContain('>20.00<');
  expect(svg).not.toContain('big-fan');
});
