import { readFileSync } from 'node:fs';

/** What a process needs besides connections of callers: Redis, the log, sources that are loaded late. */
const RESERVED_FILES = 64;
const MIN_CONNECTIONS = 16;

/** The connections that the limit on open files (`ulimit -n`) leaves room for, at most `maxConnections`. */
export function affordableConnections(maxConnections: number, limits: string = readLimits()): number {
  const maxFiles = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.min(maxConnections, Math.max(MIN_CONNECTIONS, maxFiles - RESERVED_FILES));
}

/** Linux tells; elsewhere there is only the configured number. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
