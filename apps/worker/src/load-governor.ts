import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import {
  ConcurrencyLimit,
  classifyError,
  firstLimit,
  isLateByItself,
  judgePressure,
  type Resources,
  SustainedLag,
} from '@flotilla/engine';
import type { Executor } from '@flotilla/executor';
import { createRateLimitedLog, type Logger, type RateLimitedLog } from '@flotilla/telemetry';
import { heapLimitOf } from './heap-limit.ts';
import { countHandles, handleLimitOf } from './open-handles.ts';

const LOOK_EVERY_MS = 250;
/** While attempts wait only because of the limit: they would not if there is room. */
const LOOK_SOON_MS = 50;
/** Under which the slots keep this limit beside others'. */
const REASON = 'resources';
/** What this process itself ran out of. */
const OWN_CODES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOSPC', 'ENOMEM', 'ENOBUFS', 'EDQUOT']);

export interface LoadGovernorOptions {
  executor: Pick<Executor, 'slots' | 'owned'> & { live: Pick<Executor['live'], 'size'> };
  logger: Logger;
  isRedisAway: () => boolean;
  /** Called when the limit has grown: the schedulers size their tasks by it. */
  onMoreRoom: () => void;
}

/**
 * Has the worker take less work when memory, handles or the event loop run short, attempts fail for what they cannot get, or
 * Redis is away, and more again afterwards, by what it measures. Changes only how many attempts begin: those under way continue.
 */
export class LoadGovernor {
  readonly #executor: LoadGovernorOptions['executor'];
  readonly #slots: Executor['slots'];
  readonly #onMoreRoom: () => void;
  readonly #limit: ConcurrencyLimit;
  readonly #logger: Logger;
  readonly #log: RateLimitedLog;
  readonly #isRedisAway: () => boolean;
  readonly #heapLimit = heapLimitOf();
  readonly #lag = new SustainedLag();
  #timer: NodeJS.Timeout | undefined;
  #isStarted = false;
  #lookIsDueAt = Number.POSITIVE_INFINITY;
  #lookedAt = performance.now();
  #cpuUsedMs = cpuUsedMs();
  #reported: number;
  /** Attempts that were under way when Redis was last away, and still are. */
  #carried = new Set<string>();

  constructor({ executor, logger, isRedisAway, onMoreRoom }: LoadGovernorOptions) {
    this.#executor = executor;
    this.#slots = executor.slots;
    this.#isRedisAway = isRedisAway;
    this.#onMoreRoom = onMoreRoom;
    this.#logger = logger;
    this.#log = createRateLimitedLog({ logger });
    this.#limit = new ConcurrencyLimit(this.#slots.size, firstLimit(this.#slots.size, this.#heapLimit));
    this.#slots.limitTo(REASON, this.#limit.limit);
    this.#reported = this.#limit.limit;
  }

  start(): void {
    this.#isStarted = true;
    this.#lookedAt = performance.now();
    this.#slots.onLimitReached = () => this.#lookWithin(LOOK_SOON_MS);
    this.#lookWithin(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#isStarted = false;
    clearTimeout(this.#timer);
  }

  #lookWithin(ms: number): void {
    const at = performance.now() + ms;
    if (!this.#isStarted || at >= this.#lookIsDueAt) return;
    clearTimeout(this.#timer);
    this.#lookIsDueAt = at;
    this.#timer = setTimeout(() => {
      this.#look();
      this.#lookIsDueAt = Number.POSITIVE_INFINITY;
      const waits = this.#slots.limit < this.#slots.size && this.#slots.free === 0;
      this.#lookWithin(waits ? LOOK_SOON_MS : LOOK_EVERY_MS);
    }, ms).unref();
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
    const { resources, isLate } = this.#measure();
    const { pressure, of, share } = judgePressure(resources);
    const { owned, live } = this.#executor;
    const isAway = this.#isRedisAway();
    if (isAway) this.#carried = new Set(owned);
    else for (const attemptId of this.#carried) if (!owned.has(attemptId)) this.#carried.delete(attemptId);
    const seen = { pressure, share, isLate, taken: this.#slots.taken, begun: live.size, carried: this.#carried.size };
    this.#limit.observe(seen, performance.now());
    if (isAway) this.#limit.outage(performance.now());
    this.#apply(isAway ? 'Redis does not answer' : of);
  }

  #apply(why: string): void {
    const before = this.#reported;
    const { limit, slots } = this.#limit;
    if (limit === before) return;
    this.#reported = limit;
    this.#slots.limitTo(REASON, limit);
    if (limit < before) void this.#log.write('shedding', 'warn', { limit, slots, why }, 'taking less work');
    else this.#onMoreRoom();
    if (limit === slots) this.#logger.info({ slots }, 'back to the configured concurrency');
  }

  #measure(): { resources: Resources; isLate: boolean } {
    const now = performance.now();
    const elapsedMs = Math.max(1, now - this.#lookedAt);
    const usedMs = cpuUsedMs();
    const lagMs = Math.max(0, now - this.#lookIsDueAt);
    const cpuShare = (usedMs - this.#cpuUsedMs) / elapsedMs;
    const handleLimit = handleLimitOf();
    const resources = {
      heapUsed: getHeapStatistics().used_heap_size,
      heapLimit: this.#heapLimit,
      rss: process.memoryUsage.rss(),
      memoryLimit: memoryLimit(),
      handles: countHandles(handleLimit),
      handleLimit,
      sustainedLagMs: this.#lag.note(lagMs, cpuShare),
    };
    this.#lookedAt = now;
    this.#cpuUsedMs = usedMs;
    return { resources, isLate: isLateByItself(lagMs, cpuShare) };
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
