import { markdownTable } from '@flotilla/reporting';
import { describe, expect, test } from '@jest/globals';
import { noSamples, type Samples } from '../measuring/sample.ts';
import type { BenchOptions } from '../options.ts';
import { barFigures, isMet } from './bars.ts';
import { Figures } from './figures.ts';
import { report } from './tables.ts';
import { sample } from './testing/fixture-samples.ts';

const OPTIONS: BenchOptions = { rounds: 3, scale: 1, workers: 1, slots: 64, workload: [], only: [] };

function measured(): Samples {
  const found = noSamples();
  for (const round of [1, 2, 3]) {
    // The second round falls into a busy minute: everything takes ten times as long.
    const slow = round === 2 ? 10 : 1;
    found.samples.push(sample('chain', 'plain', round, 2 * slow), sample('chain', 'flotilla', round, slow));
    found.samples.push(sample('active-1000', 'flotilla', round, 1.4));
    found.samples.push(sample('big-fan', 'flotilla', round, 3), sample('big-fan, small', 'flotilla', round, 1.5));
    for (const workers of [1, 2, 4]) found.samples.push(sample(`scaling-${workers}`, 'flotilla', round, 5 / workers));
    found.latencies.push({ target: 'plain', round, stepMs: [1, 1.2, 9] });
    found.latencies.push({ target: 'flotilla', round, stepMs: [0.5, 0.6, 5] });
    found.runBytes.push({ target: 'flotilla', round, ownKeys: 2048, allKeys: 3000 });
    found.runBytes.push({ target: 'plain', round, ownKeys: undefined, allKeys: 1000 });
  }
  return found;
}

describe('figures', () => {
  const figures = new Figures(measured());

  test('are medians of the ratios of each round, so that a busy minute does not count', () => {
    expect(figures.timesPlain('chain', 'flotilla')).toEqual([2, 2, 2]);
    expect(figures.ratios()).toEqual({
      'chain x plain': 2,
      'chain: processor of plain / of Flotilla': 2,
      'latency x plain': 2,
      'big-fan: step of a small run / of a big run': 0.5,
      'scaling-2 of linear': 1,
      'scaling-4 of linear': 1,
    });
  });

  test('that were not measured are left out of the bars', () => {
    const names = barFigures(new Figures(noSamples())).map(({ measure }) => measure);
    expect(names).toEqual([]);
  });

  test('meet their bar by more or by less, and those of a size only at that size', () => {
    const bars = Object.fromEntries(barFigures(figures).map((bar) => [bar.measure, bar]));
    expect(isMet(bars['chain']!, 0.1)).toBe(true);
    expect(isMet(bars['processor, chain']!, 0.1)).toBe(false);
    expect(isMet(bars['1,000 active']!, 1)).toBe(true);
    expect(isMet(bars['1,000 active']!, 0.1)).toBeUndefined();
    expect(bars['Redis, active run of 10 steps']).toMatchObject({ here: 2, first: 4 });
  });
});

describe('the report', () => {
  test('has a part for what was measured, and no other', () => {
    const headings = report(new Figures(measured()), OPTIONS).match(/^### .*$/gm);
    expect(headings).toEqual([
      '### Bars',
      '### Throughput',
      '### Latency',
      '### Active runs',
      '### Bytes of an active run',
      '### One big run against small ones',
      '### Worker processes',
    ]);
    expect(report(new Figures(noSamples()), OPTIONS)).toBe('');
  });

  test('tells each system in its own row', () => {
    const text = report(new Figures(measured()), OPTIONS);
    expect(text).toMatch(/\| chain +\| Flotilla +\| +1000 \| +2\.00 \| +0\.500 \| +4\.0 \| +200 \| +100 \| +50 \|/);
    expect(text).toMatch(/\| chain +\| BullMQ plain \| +500 \| +1\.00 \|/);
    expect(text).toMatch(/\| active-1000 \| Flotilla \| 1\.40 \| +1\.0 \| +4 \| +2 \| +1 \|/);
    expect(text).toMatch(/\| BullMQ plain \| +– \| +1000 \|/);
    expect(text).toMatch(/\| big-fan +\| 1 x 10000 \| 1000 x 10 \| 2\.00 \/ 1\.60 +\|/);
  });
});

test('a table lines up, aligns numbers right and shows a dash for none', () => {
  const table = markdownTable(
    ['name', { title: 'x', places: 1 }],
    [
      ['a', 1],
      ['longer', 12.34],
      ['b', undefined],
      ['c', Number.NaN],
    ],
  );
  expect(table.split('\n')).toEqual([
    '| name   |    x |',
    '| ------ | ---: |',
    '| a      |  1.0 |',
    '| longer | 12.3 |',
    '| b      |    – |',
    '| c      |    – |',
  ]);
});
