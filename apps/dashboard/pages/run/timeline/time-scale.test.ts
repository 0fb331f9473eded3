import { expect, test } from '@jest/globals';
import { ticks, timeScale } from './time-scale.ts';

test('without idle time, time is drawn as it passed', () => {
  const { place, idle } = timeScale(0, 1000, [{ from: 0, to: 1000 }]);
  expect(idle).toEqual([]);
  expect([0, 250, 1000].map(place)).toEqual([0, 0.25, 1]);
});

test('an hour in which nothing was under way takes a tenth of the width', () => {
  const hour = 3_600_000;
  const { place, idle } = timeScale(0, hour + 2000, [
    { from: 0, to: 1000 },
    { from: hour + 1000, to: hour + 2000 },
  ]);
  expect(idle).toEqual([{ from: 1000, to: hour + 1000 }]);
  expect(place(1000)).toBeCloseTo(0.45);
  expect(place(hour + 1000)).toBeCloseTo(0.55);
  expect(place(hour + 2000)).toBeCloseTo(1);
});

test('places never go back, whatever was busy when', () => {
  const busy = Array.from({ length: 40 }, (_, index) => ({
    from: (index * 7919) % 100_000,
    to: ((index * 7919) % 100_000) + 900,
  }));
  const scale = timeScale(0, 120_000, busy);
  const places = Array.from({ length: 500 }, (_, index) => scale.place(index * 240));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(ticks(0, 120_000, scale).length).toBeLessThan(16);
});
