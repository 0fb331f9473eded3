import { getHeapStatistics } from 'node:v8';

const MIB = 1024 * 1024;
/** V8's limit has room for young objects, which what is kept cannot use: three semi-spaces of this at most. */
const YOUNG_BYTES = 3 * 64 * MIB;

/** Bytes that objects which live on may take before the process dies: `--max-old-space-size`, or V8's own choice. */
export function heapLimitOf(
  options: readonly string[] = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')],
  limit: number = getHeapStatistics().heap_size_limit,
): number {
  const given = options.map((option) => /^--max[-_]old[-_]space[-_]size=(\d+)$/.exec(option)?.[1]).find(Boolean);
  if (given !== undefined && Number(given) > 0) return Number(given) * MIB;
  return Math.max(limit / 2, limit - YOUNG_BYTES);
}
