import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { decompressBody } from './decompress-body.ts';
import { MAX_BODY_BYTES } from './http-answer.ts';

const text = '{"a":1}';

describe('the body of an answer', () => {
  test.each([
    ['gzip', gzipSync(text)],
    ['X-GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
    ['identity', Buffer.from(text)],
    [undefined, Buffer.from(text)],
  ])('encoded as %s is decoded', async (encoding, body) => {
    expect(Buffer.from(await decompressBody(body, encoding)).toString()).toBe(text);
  });

  test.each([
    ['gzip', gzipSync(Buffer.alloc(100_000_000))],
    ['deflate', deflateSync(Buffer.alloc(100_000_000))],
    ['br', brotliCompressSync(Buffer.alloc(100_000_000))],
    ['gzip, gzip', gzipSync(gzipSync(Buffer.alloc(100_000_000)))],
  ])('that is a bomb (%s) is not blown up', async (encoding, body) => {
    const before = process.memoryUsage.rss();
    await expect(decompressBody(body, encoding)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE', retryable: false });
    expect(process.memoryUsage.rss() - before).toBeLessThan(50_000_000);
  });

  test('of just the limit is taken, and one byte more is not', async () => {
    const just = gzipSync(Buffer.alloc(MAX_BODY_BYTES, 'x'));
    expect(await decompressBody(just, 'gzip')).toHaveLength(MAX_BODY_BYTES);
    const more = gzipSync(Buffer.alloc(MAX_BODY_BYTES + 1, 'x'));
    await expect(decompressBody(more, 'gzip')).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  test.each([
    ['gzip', Buffer.from('not gzip')],
    ['zstd', Buffer.from('x')],
    ['constructor', Buffer.from('x')],
    ['br, br, br, br', Buffer.from('x')],
    ['gzip', gzipSync(text).subarray(0, 12)],
  ])('that cannot be read (%s) is refused for good', async (encoding, body) => {
    await expect(decompressBody(body, encoding)).rejects.toMatchObject({ code: 'HTTP_STEP_FAILED', retryable: false });
  });

  test('that is empty is left alone, as that of an answer to HEAD', async () => {
    expect(await decompressBody(new Uint8Array(), 'gzip')).toHaveLength(0);
  });
});
