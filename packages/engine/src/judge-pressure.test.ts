import { describe, expect, test } from '@jest/globals';
import { firstLimit, judgePressure, type Resources } from './judge-pressure.ts';

const GIB = 2 ** 30;

describe('what is short', () => {
  const fine: Resources = {
    heapUsed: 50,
    heapLimit: 100,
    rss: 50,
    memoryLimit: 100,
    handles: 50,
    handleLimit: 100,
    sustainedLagMs: 0,
  };

  test.each([
    [{}, 'none', ''],
    [{ heapUsed: 70 }, 'some', 'heap 70 %'],
    [{ heapUsed: 90 }, 'much', 'heap 90 %'],
    [{ rss: 82 }, 'some', 'memory 82 %'],
    [{ rss: 95 }, 'much', 'memory 95 %'],
    [{ rss: 95, memoryLimit: undefined }, 'none', ''],
    [{ handles: 85 }, 'some', 'handles 85 %'],
    [{ handles: 100 }, 'much', 'handles 100 %'],
    [{ handles: 100, handleLimit: undefined }, 'none', ''],
    [{ heapUsed: 70, rss: 95 }, 'much', 'memory 95 %'],
    [{ sustainedLagMs: 1600 }, 'some', 'event loop 1600 ms late'],
    [{ sustainedLagMs: 1400 }, 'none', ''],
  ] as const)('%j is %s: %s', (resources, pressure, of) => {
    expect(judgePressure({ ...fine, ...resources })).toMatchObject({ pressure, of });
  });

  test('is shared as much as the shortest of them is used', () => {
    expect(judgePressure({ ...fine, handles: 60 }).share).toBe(0.6);
  });
});

describe('the first attempts of a worker that knows nothing yet', () => {
  test.each([
    [64, 4 * GIB, 64],
    [260, 4 * GIB, 128],
    [1000, 4 * GIB, 128],
    [1000, 2 * GIB, 100],
    [64, GIB / 8, 7],
    [4, GIB / 8, 4],
    [1, GIB / 1024, 1],
  ])('of %i slots and a heap of %i bytes are %i', (slots, heapLimit, first) => {
    expect(firstLimit(slots, heapLimit)).toBe(first);
  });
});
