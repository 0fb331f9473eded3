import {
  FlotillaError,
  type HistoryEvent,
  isFlotillaError,
  isTerminalRunStatus,
  type RunView,
} from '@flotilla/contracts';
import { isWorthRetrying } from './answer-errors.ts';
import { limitBy, nowMs, pause } from './deadline.ts';
import { readEventStream } from './event-stream.ts';
import { followEvents } from './follow-events.ts';
import { runPath } from './paths.ts';
import type { Transport } from './transport.ts';

const DEFAULT_WAIT_MS = 600_000;

export interface WaitOptions {
  /** DEADLINE_EXCEEDED when the run has not ended by then; the run goes on. Default 600000. */
  timeoutMs?: number;
  /** CALL_ABORTED when it aborts; the run goes on. */
  signal?: AbortSignal;
  /** Called with each event of the history, in order, before `wait` resolves. */
  onEvent?: (event: HistoryEvent) => void;
  /** How often the stored state is looked at while no event stream gets through. Default 500, growing to 2000. */
  pollIntervalMs?: number;
}

const LONGEST_POLL_MS = 2000;
/** With a stream open the stored state is still looked at: an event is a hint, the state is the truth. */
const POLL_BESIDE_STREAM_MS = 5000;
const ONE_LOOK_MS = 5000;
const FIRST_RECONNECT_MS = 250;
const LONGEST_RECONNECT_MS = 10_000;
/** When the state says that the run has ended, events that are on their way are waited for at most this long. */
const LAST_EVENTS_MS = 5000;

/**
 * The run when it has ended, however it has ended. Rejects with RUN_NOT_FOUND, with what the server refuses for good, and
 * with DEADLINE_EXCEEDED at the time limit whatever the network does.
 */
export async function waitForRun(transport: Transport, runId: string, options: WaitOptions = {}): Promise<RunView> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_WAIT_MS;
  const limit = limitBy(timeoutMs, options.signal);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  limit.signal.addEventListener('abort', end, { once: true });
  if (limit.signal.aborted) end();
  const waiting = new Wait(transport, runId, options, stop.signal);
  try {
    const run = await waiting.run();
    if (run !== undefined) return run;
    if (!limit.isOver())
      throw new FlotillaError('CALL_ABORTED', 'the wait was given up', { cause: options.signal?.reason });
    const message = `run ${runId} has not ended within ${timeoutMs} ms`;
    throw new FlotillaError('DEADLINE_EXCEEDED', message, { cause: waiting.lastError });
  } finally {
    end();
    limit.release();
  }
}

class Wait {
  lastError: unknown;
  readonly #transport: Transport;
  readonly #runId: string;
  readonly #options: WaitOptions;
  readonly #stop: AbortSignal;
  /** Ends the pause between two looks. */
  #wake = new AbortController();
  #streaming = false;
  /** What `onEvent` threw. */
  #listenerFailure: { error: unknown } | undefined;

  constructor(transport: Transport, runId: string, options: WaitOptions, stop: AbortSignal) {
    this.#transport = transport;
    this.#runId = runId;
    this.#options = options;
    this.#stop = stop;
    stop.addEventListener('abort', () => this.#lookNow(), { once: true });
  }

  /** Undefined when stopped. */
  async run(): Promise<RunView | undefined> {
    let pollMs = this.#options.pollIntervalMs ?? 500;
    let hearing: Promise<void> | undefined;
    while (!this.#stop.aborted) {
      const startedAt = nowMs();
      const run = await this.#look();
      // Only now: a run that does not exist or has ended needs no stream.
      hearing ??= this.#hear();
      if (this.#listenerFailure !== undefined) throw this.#listenerFailure.error;
      if (run !== undefined && isTerminalRunStatus(run.status)) {
        await this.#lastEvents(hearing);
        return run;
      }
      const pauseMs = this.#streaming ? POLL_BESIDE_STREAM_MS : pollMs - (nowMs() - startedAt);
      await pause(pauseMs, this.#wake.signal);
      if (this.#wake.signal.aborted && !this.#stop.aborted) this.#wake = new AbortController();
      pollMs = Math.min(pollMs * 1.5, Math.max(LONGEST_POLL_MS, this.#options.pollIntervalMs ?? 0));
    }
    return undefined;
  }

  /** The run as stored; undefined when the server cannot be asked now. */
  async #look(): Promise<RunView | undefined> {
    try {
      const { value } = await this.#transport.call<RunView>({
        method: 'GET',
        path: runPath(this.#runId),
        deadlineMs: ONE_LOOK_MS,
        signal: this.#stop,
        maxAttempts: 1,
      });
      return value;
    } catch (error) {
      if (!isFlotillaError(error) || !(isWorthRetrying(error) || error.code === 'CALL_ABORTED')) throw error;
      if (error.code !== 'CALL_ABORTED') this.lastError = error;
      return undefined;
    }
  }

  #hear(): Promise<void> {
    return this.#options.onEvent === undefined ? this.#hearEnd() : this.#hearEvents(this.#options.onEvent);
  }

  /** Wakes the looking when the server says that the run has ended, and whenever a stream breaks. */
  async #hearEnd(): Promise<void> {
    let pauseMs = FIRST_RECONNECT_MS;
    while (!this.#stop.aborted) {
      try {
        const onOpen = (): void => {
          this.#streaming = true;
          pauseMs = FIRST_RECONNECT_MS;
        };
        const path = `${runPath(this.#runId)}/events?only=end`;
        for await (const message of readEventStream(this.#transport, path, { signal: this.#stop, onOpen })) {
          if (message.event === 'end') this.#lookNow();
        }
      } catch (error) {
        this.lastError = error; // looking goes on without the stream, and throws what is there to throw
      }
      this.#streaming = false;
      this.#lookNow();
      await pause(pauseMs, this.#stop);
      pauseMs = Math.min(pauseMs * 2, LONGEST_RECONNECT_MS);
    }
  }

  /** Calls the listener with every event, reconnecting where it broke off. */
  async #hearEvents(onEvent: (event: HistoryEvent) => void): Promise<void> {
    let after = -1;
    while (!this.#stop.aborted) {
      try {
        for await (const event of followEvents(this.#transport, this.#runId, { after, signal: this.#stop })) {
          after = event.seq;
          this.#tell(onEvent, event);
          if (event.type.startsWith('run-')) this.#lookNow();
        }
        return;
      } catch (error) {
        this.lastError = error;
        if (this.#listenerFailure !== undefined) return;
      }
      await pause(LONGEST_RECONNECT_MS, this.#stop);
    }
  }

  #tell(onEvent: (event: HistoryEvent) => void, event: HistoryEvent): void {
    try {
      onEvent(event);
    } catch (error) {
      this.#listenerFailure = { error };
      this.#lookNow();
      throw error;
    }
  }

  /** Lets the events that are on their way arrive. */
  async #lastEvents(hearing: Promise<void>): Promise<void> {
    if (this.#options.onEvent === undefined) return;
    const patience = new AbortController();
    await Promise.race([hearing, pause(LAST_EVENTS_MS, patience.signal)]);
    patience.abort();
    if (this.#listenerFailure !== undefined) throw this.#listenerFailure.error;
  }

  #lookNow(): void {
    this.#wake.abort();
  }
}
