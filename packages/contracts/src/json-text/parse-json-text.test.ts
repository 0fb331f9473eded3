import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { JsonTextError, parseForeignJson, parseJsonText } from './parse-json-text.ts';

function refusalOf(text: string): JsonTextError {
  try {
    parseJsonText(text);
  } catch (error) {
    if (error instanceof JsonTextError) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('parseJsonText', () => {
  test('refuses a number that a double would change, with its line, its digits and what would become of it', () => {
    expect(refusalOf('{\n  "a": 1,\n  "id": 7615917337495251231\n}')).toMatchObject({
      code: 'VALIDATION_FAILED',
      message:
        'the number 7615917337495251231 at line 3 column 9 would be changed to 7615917337495251000: send it as text',
      problems: [{ code: 'NUMBER_NOT_EXACT', path: '/id' }],
    });
  });

  test('takes every number that JSON.stringify writes, unchanged', () => {
    const wide = fc.double({ noNaN: true, noDefaultInfinity: true });
    const integer = fc.maxSafeInteger().map((value) => value * 1_000_000);
    fc.assert(
      fc.property(fc.oneof(wide, integer), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(parseJsonText(text))).toBe(text);
      }),
    );
  });

  test('takes an integer exactly when it comes out with the digits that went in', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (value) => {
        const exact = BigInt(Number(value)) === value || JSON.stringify(Number(value)) === String(value);
        if (exact) expect(parseJsonText(String(value))).toBe(Number(value));
        else expect(refusalOf(String(value)).code).toBe('VALIDATION_FAILED');
      }),
    );
  });

  test.each([
    ['{\n"password": "hunter2",}', 'not JSON: line 2 column 23'],
    ['{"password": hunter2}', 'not JSON'],
    ['{"password": "hunter2"', 'not JSON: line 1 column 23'],
    ['{"password": ', 'not complete JSON'],
  ])('says of %j that it is %s, and does not quote it', (text, expected) => {
    const { code, message } = refusalOf(text);
    expect([code, message]).toEqual(['MALFORMED_JSON', expected]);
  });
});

describe('parseForeignJson', () => {
  test('gives a number that a double would change as text with its digits, and no other', () => {
    const text = '{"id":7615917337495251231,"ids":[1,9007199254740993,2.5],"far":-1e400,"s":"9007199254740993"}';
    expect(parseForeignJson(text)).toEqual({
      id: '7615917337495251231',
      ids: [1, '9007199254740993', 2.5],
      far: '-1e400',
      s: '9007199254740993',
    });
  });

  test('refuses what all refuse', () => {
    expect(() => parseForeignJson('{"a":1,"a":2}')).toThrow(/"a" stands/);
    expect(() => parseForeignJson('{"a":}')).toThrow(/not JSON/);
  });
});
