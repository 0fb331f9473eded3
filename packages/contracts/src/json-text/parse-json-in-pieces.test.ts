import { describe, expect, test } from '@jest/globals';
import { parseJsonInPieces } from './parse-json-in-pieces.ts';

function parse(text: string) {
  const pieces = parseJsonInPieces(text);
  for (let count = 1; ; count += 1) {
    const piece = pieces.next();
    if (piece.done === true) return { value: piece.value, pieces: count };
  }
}

const long = 'x'.repeat(40_000);

describe('JSON that is parsed in pieces', () => {
  const parts = [
    null,
    true,
    -0.5e-7,
    '',
    '"\\\u2028[{,',
    [],
    {},
    [[1, { a: [] }]],
    { '': { b: null, '10': 1, '9': [2] } },
  ];

  test.each(parts)('is what JSON.parse makes of it, with %j inside', (part) => {
    for (const space of [undefined, 1, '\t\n ']) {
      for (const times of [0, 1, 40, 4000]) {
        const value = { a: [part, long, part], b: { c: long, d: Array.from({ length: times }, () => part) }, e: part };
        const text = JSON.stringify(value, undefined, space);
        expect(parse(text).value).toEqual(JSON.parse(text));
      }
    }
  });

  test.each([
    ['keys given twice', `{"a":1,"b":"${long}","a":2}`],
    ['a key that is given twice and long', `{"a":"${long}","a":"${long}y"}`],
    ['quotes, commas and brackets in texts', `["\\"],[{", "${long}\\\\", {"}":"]"}]`],
    ['nothing but a long text', JSON.stringify(long)],
    ['empty containers', `[[],{},"${long}",[{}],{"a":[]}]`],
  ])('keeps %s', (_, text) => {
    expect(JSON.stringify(parse(text).value)).toBe(JSON.stringify(JSON.parse(text)));
  });

  test('keeps __proto__ as a key of the data', () => {
    const { value } = parse(`{"__proto__":{"a":"${long}"},"b":1}`);
    expect(Object.keys(value as object)).toEqual(['__proto__', 'b']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  test('comes in many pieces when it is large', () => {
    const text = JSON.stringify(Array.from({ length: 100_000 }, (_, index) => ({ [`k${index}`]: index })));
    expect(parse(text).pieces).toBeGreaterThan(30);
  });

  test.each([
    ['', `{"a":"${long}"`],
    ['', `{"a":"${long}",}`],
    ['', `["${long}",]`],
    ['', `["${long}",,1]`],
    ['', `["${long}" 1]`],
    ['', `["${long}"]]`],
    ['', `{"${long}" "${long}"}`],
    ['', `{a:"${long}"}`],
    ['', `["${long}",1}`],
    ['', `["${long}`],
    ['', `${long}`],
  ])('%sis refused when it is not JSON: %#', (_, text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(() => parse(text)).toThrow(/at position \d+$/);
  });
});
