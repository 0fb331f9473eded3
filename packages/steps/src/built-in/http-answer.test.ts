import { describe, expect, test } from '@jest/globals';
import { RateLimitedError } from '../typed-errors.ts';
import { decodeBody, failureOfAnswer, MAX_BODY_BYTES, readBody } from './http-answer.ts';

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

  test('gives an integer that a double would change as text with its digits', () => {
    const body = '{"id":7615917337495251231,"small":7,"price":12.5,"written":7615917337495251000}';
    expect(decodeBody(Buffer.from(body), json)).toEqual({
      id: '7615917337495251231',
      small: 7,
      price: 12.5,
      written: 7615917337495251000,
    });
  });

  test('says why it cannot be taken', () => {
    expect(() => decodeBody(Buffer.from('{"a":1,"a":2}'), json)).toThrow(
      'the answer says it is JSON and cannot be taken as such: the key "a" stands at line 1 column 2 and again at line 1 column 8',
    );
  });

  test('reads the charset of the answer', () => {
    expect(decodeBody(Buffer.from([0xe9]), { 'content-type': 'text/plain; charset="ISO-8859-1"' })).toBe('é');
  });

  test.each([
    ['{', json],
    ['x', { 'content-type': 'text/plain; charset=martian' }],
  ])('refuses %j with %j', (body, headers) => {
    expect(() => decodeBody(Buffer.from(body), headers as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'HTTP_STEP_FAILED', retryable: false }),
    );
  });
});

describe('the failure of an answer', () => {
  const failure = (status: number, headers: Record<string, string>) => failureOfAnswer('GET x', status, headers, 0);

  test('carries its status and the wait that it asks for', () => {
    expect(failure(503, { 'retry-after': '3' })).toMatchObject({
      message: 'GET x answered 503',
      code: 'HTTP_STEP_FAILED',
      status: 503,
      retryAfterMs: 3000,
    });
    expect(failure(500, {})).not.toHaveProperty('retryAfterMs');
  });

  test('is a rate limit when the status or the headers say so, also with 403', () => {
    const usedUp = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '30' };
    expect(failure(429, {})).toBeInstanceOf(RateLimitedError);
    expect(failure(403, usedUp)).toBeInstanceOf(RateLimitedError);
    expect(failure(403, usedUp)).toMatchObject({ status: 403, retryAfterMs: 30_000 });
    expect(failure(403, { 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': '30' })).not.toBeInstanceOf(
      RateLimitedError,
    );
    expect(failure(403, {})).not.toBeInstanceOf(RateLimitedError);
    expect(failure(404, usedUp)).not.toBeInstanceOf(RateLimitedError);
  });
});
