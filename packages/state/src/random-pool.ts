import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8192;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Random bytes of the system's generator, fetched many at a time: one call for each id was a tenth of a worker's time.
 * The answer is valid until the next call: copy it or encode it at once. Most 1024 bytes.
 */
export function randomBytesPooled(length: number): Buffer {
  if (length > POOL_BYTES - used) {
    randomFillSync(pool);
    used = 0;
  }
  used += length;
  return pool.subarray(used - length, used);
}
