import { expect, test } from '@jest/globals';
import { formatDuration, formatMoment } from './format-time.ts';

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1.0 s'],
  [59_949, '59.9 s'],
  [59_960, '1 min 0 s'],
  [200_000, '3 min 20 s'],
  [7_500_000, '2 h 5 min'],
  [171_000_000, '47 h 30 min'],
  [172_800_000, '2 days 0 h'],
  [3_888_000_000, '45 days 0 h'],
  [-5, '0 ms'],
])('%i ms reads as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('a moment is in UTC', () => {
  expect(formatMoment(0)).toBe('1970-01-01 00:00:00Z');
});
