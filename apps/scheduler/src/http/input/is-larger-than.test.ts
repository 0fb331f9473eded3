import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isLargerThan } from './is-larger-than.ts';

test('what is larger than a limit has a longer text', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(300), (value, limit) => {
      if (isLargerThan(value, limit)) expect(JSON.stringify(value).length).toBeGreaterThan(limit);
    }),
  );
});

test.each<[unknown, number, boolean]>([
  ['x'.repeat(11), 10, true],
  [Array.from({ length: 11 }, () => 1), 10, true],
  [{ abcdefghijk: 1 }, 10, true],
  [[['x'.repeat(5)], ['x'.repeat(5)]], 10, true],
  [{ a: 1 }, 10, false],
])('%j is larger than %i: %s', (value, limit, expected) => {
  expect(isLargerThan(value, limit)).toBe(expected);
});
