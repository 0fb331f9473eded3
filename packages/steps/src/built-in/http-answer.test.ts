import { describe, expect, test } from '@jest/globals';
import { decodeBody, MAX_BODY_BYTES, readBody, retryAfterMsOf } from './http-answer.ts';

async function* chunks(count: number, bytes: number) {
  for (let index = 0; index < count; index += 1) yield new Uint8Array(bytes);
}

describe('readBody', () => {
  test('takes a body of just the limit and refuses one byte more', async () => {
    await expect(readBody(chunks(4, MAX_BODY_BYTES / 4))).resolves.toHaveLength(MAX_BODY_BYTES);
    await expect(readBody(chunks(1, MAX_BODY_BYTES + 1))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      retryable: false,
    });
  });

  test('stops reading an unending body', async () => {
    await expect(readBody(chunks(Number.POSITIVE_INFINITY, 1000))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('decodeBody', () => {
  const json = { 'content-type': 'application/json; charset=utf-8' };

  test('parses JSON when the answer says so, else gives text, and null for nothing', () => {
    expect(decodeBody(Buffer.from('{"a":1}'), json)).toEqual({ a: 1 });
    expect(decodeBody(Buffer.from('[1]'), { 'content-type': 'application/problem+json' })).toEqual([1]);
    expect(decodeBody(Buffer.from('{"a":1}'), { 'content-type': 'text/plain' })).toBe('{"a":1}');
    expect(decodeBody(Buffer.from('x'), {})).toBe('x');
    expect(decodeBody(new Uint8Array(), json)).toBeNull();
  });

  test('reads the charset of the answer', () => {
    expect(decodeBody(Buffer.from([0xe9]), { 'content-type': 'text/plain; charset="ISO-8859-1"' })).toBe('é');
  });

  test.each([
    ['{', json],
    ['x', { 'content-type': 'text/plain; charset=martian' }],
    ['x', { 'content-encoding': 'gzip' }],
  ])('refuses %j with %j', (body, headers) => {
    expect(() => decodeBody(Buffer.from(body), headers as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'HTTP_STEP_FAILED', retryable: false }),
    );
  });
});

test('Retry-After is read as seconds or as a date against the clock of the answer', () => {
  const now = Date.parse('2024-01-01T00:00:00Z');
  expect(retryAfterMsOf({ 'retry-after': '3' }, now)).toBe(3000);
  expect(retryAfterMsOf({ 'retry-after': 'Mon, 01 Jan 2024 00:00:10 GMT' }, now)).toBe(10_000);
  const date = 'Mon, 01 Jan 2024 00:00:08 GMT';
  expect(retryAfterMsOf({ 'retry-after': 'Mon, 01 Jan 2024 00:00:10 GMT', date }, now)).toBe(2000);
  expect(retryAfterMsOf({ 'retry-after': 'Mon, 01 Jan 2020 00:00:00 GMT' }, now)).toBe(0);
  expect(retryAfterMsOf({ 'retry-after': 'soon' }, now)).toBeUndefined();
  expect(retryAfterMsOf({}, now)).toBeUndefined();
});
