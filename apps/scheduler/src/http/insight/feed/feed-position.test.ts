import { describe, expect, test } from '@jest/globals';
import { formatPosition, parsePosition } from './feed-position.ts';

describe('the position of a stream', () => {
  test.each([
    [{ at: 1_800_000_000_000, seqs: new Map<string, number>() }],
    [
      {
        at: 5,
        seqs: new Map([
          ['00-a', -1],
          ['r.2', 17],
        ]),
      },
    ],
  ])('is read as it was written (%#)', (position) => {
    expect(parsePosition(formatPosition(position))).toEqual(position);
  });

  test.each([[''], ['x'], ['-1'], ['1~'], ['1~a'], ['1~a:b'], ['1~a|b:1'], ['9'.repeat(16)]])('is not %j', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });
});
