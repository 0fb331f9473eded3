import { expect, test } from '@jest/globals';
import { faultOf } from './fault-table.ts';
import { findNotMade } from './not-made.ts';

const planned = { number: 1, id: 'F1', variant: faultOf('F1').variants[0]!, atMs: 0, slot: 0 } as const;

test('a fault that had to come and did not is told of', () => {
  expect(findNotMade(['F1'], [{ planned }])).toEqual([]);
  expect(findNotMade([], [{ planned }])).toEqual([]);
  expect(findNotMade(['F1', 'F5'], [{ planned }])).toEqual(['F5 was to be made and never was']);
});

test('without any fault nothing was tested, whatever was asked for', () => {
  expect(findNotMade([], [])).toEqual(['no fault was made']);
});
