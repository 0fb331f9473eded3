import { expect, test } from '@jest/globals';
import { BoundLabels } from './bound-labels.ts';

test('of a label whose values users choose the first hundred are kept for good, and later ones are other', () => {
  const labels = new BoundLabels();
  const first = Array.from({ length: 100 }, (_, index) => labels.bound({ workflow: `w${index}`, outcome: 'commit' }));
  expect(new Set(first.map(({ workflow }) => workflow)).size).toBe(100);
  expect(labels.bound({ workflow: 'late', outcome: 'commit' })).toEqual({ workflow: 'other', outcome: 'commit' });
  expect(labels.bound({ workflow: 'w7', outcome: 'commit' })).toEqual({ workflow: 'w7', outcome: 'commit' });
  // Each label is counted by itself.
  expect(labels.bound({ workflow: 'late', handler: 'h' })).toEqual({ workflow: 'other', handler: 'h' });
});

test('labels whose values are ours are passed on as they are', () => {
  const labels = new BoundLabels();
  for (let index = 0; index < 1000; index += 1) labels.bound({ status: `s${index}` });
  expect(labels.bound({ status: 'new' })).toEqual({ status: 'new' });
});
