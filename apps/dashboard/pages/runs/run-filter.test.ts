import { expect, test } from '@jest/globals';
import { isEmptyFilter, toQuery, without } from './run-filter.ts';

const NOW = 1_700_000_040_000;

test('a time back from now becomes a moment that stays the same for a minute, or queries would never be the same', () => {
  const { from } = toQuery({ from: '1h' }, NOW);
  expect(from).toBe(1_699_996_440_000 - (1_699_996_440_000 % 60_000));
  expect(toQuery({ from: '1h' }, NOW + 10_000)).toEqual({ from, to: undefined });
});

test.each([
  ['1700000000000', 1_700_000_000_000],
  ['soon', undefined],
])('a time of %s is %s', (from, expected) => expect(toQuery({ from }, NOW)['from']).toBe(expected));

test('parts of a filter are taken away, and nothing is left of the last', () => {
  const filter = without({ status: 'failed', tag: 'eu' }, 'tag');
  expect(filter).toEqual({ status: 'failed' });
  expect(isEmptyFilter(filter)).toBe(false);
  expect(isEmptyFilter(without(filter, 'status'))).toBe(true);
});
