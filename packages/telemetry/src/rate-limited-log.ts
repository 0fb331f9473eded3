import type { Level } from 'pino';
import type { Logger } from './create-logger.ts';
import { LOG_EVENTS } from './names.ts';

export interface RateLimitedLogOptions {
  logger: Logger;
  /** Lines a second of one key. Default 1. */
  linesPerSecond?: number;
  /** Lines a second of all keys together. Default 8. */
  linesPerSecondOverall?: number;
  /** Monotonic clock. */
  nowMs?: () => number;
}

export interface RateLimitedLog {
  /**
   * Writes the line, unless its key or all keys together have had their lines this second; then it is counted, and the
   * count is told with the key's next line, or soon after the storm is over. Returns whether it was written.
   */
  write(key: string, level: Level, fields: Record<string, unknown>, message: string): boolean;
  /** Tells the counts that are still untold, and stops. */
  close(): void;
}

interface KeyState {
  windowStartMs: number;
  written: number;
  suppressed: number;
}

const WINDOW_MS = 1000;
const TELL_REST_AFTER_MS = 5000;
const KEPT_KEYS = 500;

/**
 * A log for places where an outage makes thousands of errors a second: a worker under a full disk must not fill what
 * is left of it with log lines.
 */
export function createRateLimitedLog({
  logger,
  linesPerSecond = 1,
  linesPerSecondOverall = 8,
  nowMs = () => performance.now(),
}: RateLimitedLogOptions): RateLimitedLog {
  const states = new Map<string, KeyState>();
  let overall = { windowStartMs: nowMs(), written: 0 };
  let timer: NodeJS.Timeout | undefined;

  const tellRest = (): void => {
    timer = undefined;
    let lines = 0;
    const keys: string[] = [];
    for (const [key, state] of states) {
      if (state.suppressed === 0) continue;
      lines += state.suppressed;
      keys.push(key);
      state.suppressed = 0;
    }
    if (lines > 0) {
      logger.warn(
        { event: LOG_EVENTS.linesSuppressed, suppressed: lines, keys: keys.slice(0, 20) },
        'log lines were kept back',
      );
    }
  };

  const stateOf = (key: string, now: number): KeyState => {
    let state = states.get(key);
    if (state === undefined) {
      if (states.size >= KEPT_KEYS) {
        tellRest();
        states.clear();
      }
      state = { windowStartMs: now, written: 0, suppressed: 0 };
      states.set(key, state);
    } else if (now - state.windowStartMs >= WINDOW_MS) {
      state.windowStartMs = now;
      state.written = 0;
    }
    return state;
  };

  return {
    write(key, level, fields, message) {
      const now = nowMs();
      const state = stateOf(key, now);
      if (now - overall.windowStartMs >= WINDOW_MS) overall = { windowStartMs: now, written: 0 };
      if (state.written >= linesPerSecond || overall.written >= linesPerSecondOverall) {
        state.suppressed += 1;
        timer ??= setTimeout(tellRest, TELL_REST_AFTER_MS).unref();
        return false;
      }
      state.written += 1;
      overall.written += 1;
      logger[level](state.suppressed === 0 ? fields : { ...fields, suppressed: state.suppressed }, message);
      state.suppressed = 0;
      return true;
    },
    close() {
      clearTimeout(timer);
      tellRest();
    },
  };
}
