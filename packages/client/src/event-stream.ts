import { FlotillaError, isFlotillaError } from '@flotilla/contracts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { errorOfAnswer, errorOfConnection } from './answer-errors.ts';
import { nowMs } from './deadline.ts';
import type { Transport } from './transport.ts';

/** The server sends at least a comment every 15 s: a connection that is silent for longer than this is dead. */
const SILENCE_LIMIT_MS = 40_000;

export interface EventStreamOptions {
  signal: AbortSignal;
  /** Resumes after this event. */
  lastEventId?: string;
  /** Called when the server has begun to answer. */
  onOpen?: () => void;
}

/**
 * The messages of one server-sent event stream, until the server ends it or the signal aborts. Throws the server's
 * problem, or SCHEDULER_UNREACHABLE when the connection breaks or goes silent; it does not reconnect.
 */
export async function* readEventStream(
  transport: Transport,
  path: string,
  options: EventStreamOptions,
): AsyncGenerator<EventSourceMessage> {
  const { url } = transport.settings;
  const connection = new Connection(options.signal);
  try {
    const headers = transport.headers('text/event-stream');
    if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId;
    const response = await fetch(url + path, { headers, redirect: 'manual', signal: connection.signal });
    if (response.status !== 200) throw errorOfAnswer(response.status, await response.text());
    if (response.body === null || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      throw new FlotillaError('SCHEDULER_UNREACHABLE', 'something in between does not pass event streams on');
    }
    options.onOpen?.();
    const messages: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (message) => messages.push(message) });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      connection.alive();
      parser.feed(decoder.decode(chunk, { stream: true }));
      for (let message = messages.shift(); message !== undefined; message = messages.shift()) yield message;
    }
  } catch (thrown) {
    if (isFlotillaError(thrown)) throw thrown;
    if (!options.signal.aborted) throw errorOfConnection(thrown, url);
  } finally {
    connection.close();
  }
}

/** Aborts a connection with its reader, when it is silent for too long, and when the reader turns away. */
class Connection {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: ReturnType<typeof setInterval>;
  #heardAt = nowMs();

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#abort();
    outer.addEventListener('abort', this.#abort, { once: true });
    this.#timer = setInterval(() => {
      if (nowMs() - this.#heardAt > SILENCE_LIMIT_MS) this.#abort();
    }, 1000);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    this.#heardAt = nowMs();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#outer.removeEventListener('abort', this.#abort);
    this.#abort();
  }

  readonly #abort = (): void => this.#controller.abort();
}
