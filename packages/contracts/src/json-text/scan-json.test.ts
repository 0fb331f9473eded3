import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scanJson } from './scan-json.ts';

const LIMITS = { maxDepth: 8, maxKeys: 1000, maxKeysOfObject: 100 };
const codesAt = (text: string, limits = LIMITS) => scanJson(text, limits).map(({ code, path }) => `${code} ${path}`);

describe('scanJson', () => {
  test.each<[string, string[]]>([
    ['{"a":1,"b":[1,2,{"a":"a","b":null}],"":true}', []],
    ['"text with \\" and \\\\ and { [ , :"', []],
    ['{"a":1,"a":2}', ['DUPLICATE_KEY /a']],
    ['{"a":1,"\\u0061":2}', ['DUPLICATE_KEY /a']],
    ['[{"x":{"y":1,"y":1}},{"y":1}]', ['DUPLICATE_KEY /0/x/y']],
    ['{"a/b~c":1,"a/b~c":1}', ['DUPLICATE_KEY /a~1b~0c']],
    ['{"__proto__":1}', ['JSON_FORBIDDEN_KEY /__proto__']],
    ['[1,{"a":[{"\\u005f_proto__":1}]}]', ['JSON_FORBIDDEN_KEY /1/a/0/__proto__']],
    ['{"constructor":1,"toString":2}', []],
    ['"__proto__"', []],
    ['[1e400,-1e400,1e308]', ['NUMBER_TOO_LARGE /0', 'NUMBER_TOO_LARGE /1']],
    [`[${'9'.repeat(400)}]`, ['NUMBER_TOO_LARGE /0']],
    ['{"n":9007199254740993}', ['NUMBER_NOT_EXACT /n']],
    ['[9007199254740991,9007199254740992,100000000000000000000,0.1234567890123456789,-0]', []],
    // What JSON writes for a double is taken, exact or not; a decimal means the nearest double.
    ['[1796080460429000000,7615917337495251000,1e21,123456789.123456789123,17.0]', []],
    ['[7615917337495251231,-7615917337495251231]', ['NUMBER_NOT_EXACT /0', 'NUMBER_NOT_EXACT /1']],
    ['[1796080460429000001,7615917337495251231.0]', ['NUMBER_NOT_EXACT /0', 'NUMBER_NOT_EXACT /1']],
    ['[1e-400,0e-400,0.0]', ['NUMBER_NOT_EXACT /0']],
    ['["\\ud800"]', ['LONE_SURROGATE /0']],
    ['["\\ud83d\\ude80","\\\\ud800"]', []],
    ['{"\\udc00":1}', ['LONE_SURROGATE /\udc00']],
    ['[[[[[[[[1]]]]]]]]', []],
    ['[[[[[[[[[1]]]]]]]]]', ['JSON_TOO_DEEP /0/0/0/0/0/0/0/0']],
  ])('finds in %s what parsing would hide', (text, expected) => {
    expect(codesAt(text)).toEqual(expected);
  });

  test('stops at too many keys and items, and at too many keys of one object', () => {
    expect(codesAt(`[${'0,'.repeat(1000)}0]`)).toEqual(['PAYLOAD_TOO_LARGE /1000']);
    const keys = Array.from({ length: 101 }, (_, index) => `"k${index}":0`).join(',');
    expect(codesAt(`{${keys}}`)).toEqual(['PAYLOAD_TOO_LARGE /k100']);
  });

  test('tells the positions of both appearances, also in an object of many keys', () => {
    const keys = Array.from({ length: 50 }, (_, index) => `"k${index}":0`).join(',\n');
    expect(scanJson(`{${keys},\n "k3":1}`, LIMITS)[0]?.message).toBe(
      'the key "k3" stands at line 4 column 1 and again at line 51 column 2',
    );
  });

  test('tells at most 100 problems', () => {
    expect(codesAt(`[${Array.from({ length: 300 }, () => '1e999').join(',')}]`)).toHaveLength(100);
  });

  test('has nothing against what JSON.stringify makes', () => {
    const json = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }).filter((value) => !hasProto(value));
    const limits = { maxDepth: 64, maxKeys: 100_000, maxKeysOfObject: 1000 };
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const found = scanJson(text, limits);
        expect(found).toEqual(text.includes('\\ud') ? expect.anything() : []);
      }),
    );
  });

  test('finds a key that is given twice wherever it stands', () => {
    const name = fc.string({ maxLength: 80, unit: 'grapheme' }).filter((text) => text !== '__proto__');
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 30 }), fc.nat(), fc.nat(10), (names, pick, depth) => {
        const twice = names[pick % names.length]!;
        const members = [...names, twice].map((each) => `${JSON.stringify(each)}:"${'x'.repeat(pick % 200)}"`);
        const text = `${'['.repeat(depth)}{${members.join(',')}}${']'.repeat(depth)}`;
        const found = scanJson(text, { maxDepth: 64, maxKeys: 1000, maxKeysOfObject: 100 });
        expect(found.map(({ code }) => code)).toEqual(['DUPLICATE_KEY']);
      }),
    );
  });

  test('never throws and always ends, whatever the text', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ',',
      ':',
      '1e9',
      '-',
      'null',
      '\\u',
      '\\ud8',
      ' ',
      'a',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 300 }), (pieces) => {
        expect(Array.isArray(scanJson(pieces.join(''), LIMITS))).toBe(true);
      }),
    );
  });
});

function hasProto(value: unknown): boolean {
  return JSON.stringify(value).includes('__proto__');
}
