import type { Json } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { copyCanonically } from './canonical-copy.ts';
import { canonicalJson } from './canonical-json.ts';

function copyOf(value: Json) {
  const pieces = copyCanonically(value);
  for (let count = 1; ; count += 1) {
    const piece = pieces.next();
    if (piece.done === true) return { ...piece.value, pieces: count };
  }
}

describe('a canonical copy', () => {
  test('has the text that the library writes, and the content of that text', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as Json;
        fc.pre(!JSON.stringify(plain).includes('__proto__') && JSON.stringify(plain).isWellFormed());
        const { text, copy } = copyOf(plain);
        expect(text).toBe(canonicalJson(plain));
        expect(JSON.stringify(copy)).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test.each<[string, Json]>([
    ['keys that are numbers', { b: 1, 10: 2, 9: [{ 2: 1, a: 2, 1: 3 }] }],
    ['negative zero', [-0, { a: -0 }]],
    ['nothing but a text', 'x'],
    ['empty parts', [[], {}, [[]], { a: {} }]],
    ['properties that are undefined', { a: undefined, b: { c: undefined }, d: 1 } as unknown as Json],
  ])('holds for %s', (_, value) => {
    const { text, copy } = copyOf(value);
    expect(text).toBe(canonicalJson(value));
    expect(JSON.stringify(copy)).toBe(JSON.stringify(JSON.parse(text)));
  });

  test('of a large value is made in many pieces', () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => ({ a: index, b: ['x', 'y'] }));
    expect(copyOf(rows).pieces).toBeGreaterThan(5);
  });
});
