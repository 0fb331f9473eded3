import { expect, test } from '@jest/globals';
import { drawSoak } from './chart.ts';
import { LAG_LIMITS_MS, type ProcessSample } from './process-sample.ts';
import type { SoakResult } from './run-soak.ts';

const lagCounts = LAG_LIMITS_MS.map(() => 0);

function sampleAt(at: number, heapBytes: number): ProcessSample {
  return { at, heapBytes, externalBytes: 0, rssBytes: 0, handles: 5, timers: 1, lagCounts };
}

const result = {
  series: {
    processes: [
      { id: 'w-<1>', kind: 'worker', isSpared: true, samples: [sampleAt(0, 1_048_576), sampleAt(60_000, 2_097_152)] },
      { id: 'w-hit', kind: 'worker', isSpared: false, samples: [sampleAt(0, 9)] },
    ],
    redis: [{ at: 30_000, memoryBytes: 4_194_304, keys: 12, aofBytes: 1, clients: 3 }],
  },
  measured: { fromAt: 30_000, untilAt: 60_000, runs: 1, measuredMs: 30_000 },
  faults: [{ startAt: 45_000 }],
} as unknown as SoakResult;

test('the chart has a panel for each metric, a line for each process that was spared, and marks faults and warm-up', () => {
  const svg = drawSoak(result);
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
  expect(svg).toContain('w-&lt;1&gt;');
  expect(svg).not.toContain('w-hit');
  expect(svg).toContain('Redis keys');
  // Six of the worker, two of Redis.
  expect(svg.match(/<polyline/g)).toHaveLength(8);
  expect(svg.match(/stroke="#cf222e"/g)).toHaveLength(8);
  // From the left edge, where it is 1 MB of 2, to the right one, where it is 2.
  expect(svg).toContain('points="80.0,125.0 730.0,70.0"');
});

test('the chart of nothing is a chart', () => {
  const empty = { ...result, series: { processes: [], redis: [] }, faults: [] } as unknown as SoakResult;
  expect(drawSoak(empty)).toMatch(/^<svg .*<\/svg>\n$/s);
});
