import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { ConcurrencyLimit, classifyError, judgePressure, mayBeStarved, type Resources } from '@flotilla/engine';
import type { Executor } from '@flotilla/executor';
import { createRateLimitedLog, type Logger, type RateLimitedLog } from '@flotilla/telemetry';
import { heapLimitOf } from './heap-limit.ts';

const LOOK_EVERY_MS = 250;
/** Under which the slots keep this limit beside others'. */
const REASON = 'resources';
/** What this process itself ran out of. */
const OWN_CODES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM', 'ENOBUFS', 'EDQUOT']);

/**
 * Has the worker take less work when memory or the event loop run short, attempts fail for what they cannot get, or Redis
 * is away, and more again afterwards. Changes only how many attempts begin: those under way go on.
 */
export class LoadGovernor {
  readonly #slots: Executor['slots'];
  readonly #held: Executor['held'];
  readonly #limit: ConcurrencyLimit;
  readonly #logger: Logger;
  readonly #log: RateLimitedLog;
  readonly #isRedisAway: () => boolean;
  readonly #heapLimit = heapLimitOf();
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = performance.now();
  #cpuUsedMs = cpuUsedMs();
  #told: number;
  /** Attempts that were under way when Redis was last away, and still are. */
  #carried = new Set<string>();

  constructor({ slots, held }: Pick<Executor, 'slots' | 'held'>, logger: Logger, isRedisAway: () => boolean) {
    this.#slots = slots;
    this.#held = held;
    this.#isRedisAway = isRedisAway;
    this.#logger = logger;
    this.#log = createRateLimitedLog({ logger });
    const slowStart = mayBeStarved(slots.size, this.#heapLimit);
    this.#limit = new ConcurrencyLimit(slots.size, { slowStart });
    slots.limitTo(REASON, this.#limit.limit);
    this.#told = this.#limit.limit;
  }

  start(): void {
    this.#lookedAt = performance.now();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** An attempt failed as `resource_exhausted`. */
  exhausted(what: string): void {
    this.#limit.exhausted(this.#slots.taken, performance.now());
    this.#apply(what);
  }

  /** Trouble of the worker's own, such as a connection that could not be made: counts when it is for want of something. */
  noteTrouble(error: unknown): void {
    const { code } = classifyError(error);
    if (OWN_CODES.has(code)) this.exhausted(code);
  }

  #look(): void {
    const { pressure, of, share } = judgePressure(this.#measure());
    const isAway = this.#isRedisAway();
    if (isAway) this.#carried = new Set(this.#held);
    else for (const attemptId of this.#carried) if (!this.#held.has(attemptId)) this.#carried.delete(attemptId);
    this.#limit.observe(pressure, this.#slots.taken, performance.now(), share, this.#carried.size);
    if (isAway) this.#limit.outage(performance.now());
    this.#apply(isAway ? 'Redis does not answer' : of);
  }

  #apply(why: string): void {
    const before = this.#told;
    const { limit, slots } = this.#limit;
    if (limit === before) return;
    this.#told = limit;
    this.#slots.limitTo(REASON, limit);
    if (limit < before) void this.#log.write('shedding', 'warn', { limit, slots, why }, 'taking less work');
    else if (limit === slots) this.#logger.info({ slots }, 'taking as much work as configured again');
  }

  #measure(): Resources {
    const now = performance.now();
    const elapsedMs = Math.max(1, now - this.#lookedAt);
    const usedMs = cpuUsedMs();
    const measured = {
      heapUsed: getHeapStatistics().used_heap_size,
      heapLimit: this.#heapLimit,
      rss: process.memoryUsage.rss(),
      memoryLimit: memoryLimit(),
      loopLagMs: Math.max(0, elapsedMs - LOOK_EVERY_MS),
      cpuShare: (usedMs - this.#cpuUsedMs) / elapsedMs,
    };
    this.#lookedAt = now;
    this.#cpuUsedMs = usedMs;
    return measured;
  }
}

function cpuUsedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Of the container when it has a limit, else of the machine. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  const machine = totalmem();
  return constrained > 0 && constrained < machine ? constrained : machine;
}
