import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { MAX_BODY_BYTES, tooLarge, unreadable } from './http-answer.ts';

const LIMIT = { maxOutputLength: MAX_BODY_BYTES };
/** Nobody encodes an answer more often. */
const MAX_ENCODINGS = 3;
/** The low half of the first byte of zlib's format, which HTTP means by `deflate`; some servers send bare deflate. */
const ZLIB_METHOD = 8;

type Decompress = (body: Uint8Array, limit: { maxOutputLength: number }) => Promise<Uint8Array>;

const unwrap: Decompress = promisify(inflate);
const unwrapBare: Decompress = promisify(inflateRaw);

const DECOMPRESS: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['br', promisify(brotliDecompress)],
  ['deflate', (body, limit) => (isZlib(body) ? unwrap(body, limit) : unwrapBare(body, limit))],
]);

/**
 * The body without its encodings (`Content-Encoding`), never larger than an answer may be: a decompression bomb is not blown up.
 * @throws StepFailure `PAYLOAD_TOO_LARGE`, or `HTTP_STEP_FAILED` for what cannot be read; not retryable.
 */
export async function decompressBody(body: Uint8Array, encoding: string | undefined): Promise<Uint8Array> {
  const encodings = (encoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (body.byteLength === 0) return body;
  if (encodings.length > MAX_ENCODINGS) throw unreadable(`the answer is encoded ${encodings.length} times`);
  let plain = body;
  // The last one was applied last.
  for (const name of encodings.reverse()) {
    const decompress = DECOMPRESS.get(name);
    if (decompress === undefined) {
      throw unreadable(`the answer is encoded as ${name.slice(0, 50)}; gzip, deflate and br can be read`);
    }
    plain = await decompressWith(decompress, plain, name);
  }
  return plain;
}

async function decompressWith(decompress: Decompress, body: Uint8Array, name: string): Promise<Uint8Array> {
  try {
    return await decompress(body, LIMIT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw unreadable(`the answer says that it is encoded as ${name} and is not`, error);
  }
}

function isZlib([first = 0]: Uint8Array): boolean {
  return (first & 0x0f) === ZLIB_METHOD;
}
