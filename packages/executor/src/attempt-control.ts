import type { Json } from '@flotilla/contracts';
import type { AbortCause } from '@flotilla/engine';

export type { AbortCause };

/** The reason an author finds in `signal.reason`. */
export class AttemptAborted extends Error {
  readonly abortCause: AbortCause;
  override readonly name = 'AbortError';

  constructor(abortCause: AbortCause, message: string) {
    super(message);
    this.abortCause = abortCause;
  }
}

const MESSAGES: Record<AbortCause, string> = {
  'attempt-time': 'the attempt exceeded its time limit',
  'total-time': 'the step exceeded its total time limit',
  heartbeat: 'the attempt sent no heartbeat within its limit',
  cancelled: 'the run is ending',
  drain: 'the worker is draining',
  superseded: 'another attempt has taken over',
  'stray-error': 'an error escaped the handler, which fails the attempt',
};

export interface AttemptLimits {
  attemptMs: number;
  heartbeatMs: number | undefined;
  /** What is left of the step's total time; undefined: no limit. */
  totalLeftMs: number | undefined;
}

/** Node's timers end here and fire at once beyond; a longer limit is kept by the scheduler. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Timers and abort of one attempt, by the monotonic clock. End it with `stop`. */
export class AttemptControl {
  readonly #abort = new AbortController();
  readonly #heartbeatMs: number | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #heartbeat: NodeJS.Timeout | undefined;
  #cause: AbortCause | undefined;
  #stopped = false;
  #progress: Json | undefined;

  constructor(limits: AttemptLimits) {
    this.#heartbeatMs = limits.heartbeatMs;
    this.#arm(limits.attemptMs, 'attempt-time');
    if (limits.totalLeftMs !== undefined && limits.totalLeftMs < limits.attemptMs) {
      this.#arm(Math.max(0, limits.totalLeftMs), 'total-time');
    }
    this.#armHeartbeat();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What aborted the attempt before it ended: the first that came. */
  get cause(): AbortCause | undefined {
    return this.#cause;
  }

  abort(cause: AbortCause): void {
    if (this.signal.aborted) return;
    // How the attempt ended is decided: what it left running is told, but the end stays what it is.
    if (!this.#stopped) this.#cause = cause;
    this.#abort.abort(new AttemptAborted(cause, MESSAGES[cause]));
  }

  heartbeat(progress?: Json): void {
    if (progress !== undefined) this.#progress = progress;
    this.#armHeartbeat();
  }

  /** What the last heartbeat with progress was given; undefined when none came since this was last asked. */
  takeProgress(): Json | undefined {
    const progress = this.#progress;
    this.#progress = undefined;
    return progress;
  }

  /** The attempt has ended: no limit counts any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#heartbeat);
  }

  #arm(ms: number, cause: AbortCause): void {
    if (ms <= LONGEST_TIMER_MS) this.#timers.push(setTimeout(() => this.abort(cause), ms));
  }

  #armHeartbeat(): void {
    if (this.#heartbeatMs === undefined || this.#heartbeatMs > LONGEST_TIMER_MS) return;
    // A handler that goes on after its attempt has ended may still give signs: they start no timer.
    if (this.#cause !== undefined || this.#stopped) return;
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => this.abort('heartbeat'), this.#heartbeatMs);
  }
}
