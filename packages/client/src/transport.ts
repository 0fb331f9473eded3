import { FlotillaError, isFlotillaError } from '@flotilla/contracts';
import { activeTrace } from './active-trace.ts';
import { errorOfAnswer, errorOfConnection, isWorthRetrying } from './answer-errors.ts';
import type { CallOptions, ClientSettings } from './client-options.ts';
import { limitBy, nowMs, pause } from './deadline.ts';

/** One HTTP call. Repeating it must be harmless: every write of the API is, because it names its run. */
export interface Call extends CallOptions {
  method: 'GET' | 'POST' | 'DELETE';
  /** Path and query. */
  path: string;
  /** JSON text. */
  body?: string;
  /** Beside those of every call. */
  headers?: Readonly<Record<string, string>>;
  /** Tries of this call. Default: the client's. */
  maxAttempts?: number;
}

export interface Answer<Value> {
  value: Value;
  status: number;
}

/** Makes calls: deadline, safe repetition, typed errors. Holds no connection of its own; `fetch` pools them. */
export class Transport {
  readonly settings: ClientSettings;

  constructor(settings: ClientSettings) {
    this.settings = settings;
  }

  /**
   * The answer of the first try that succeeds. Rejects with a FlotillaError: the server's, SCHEDULER_UNREACHABLE,
   * DEADLINE_EXCEEDED or CALL_ABORTED. `ambiguous` is true on a write when any try may have taken effect.
   */
  async call<Value>(call: Call): Promise<Answer<Value>> {
    const endsAt = nowMs() + (call.deadlineMs ?? this.settings.deadlineMs);
    const maxAttempts = call.maxAttempts ?? this.settings.retry.maxAttempts;
    let mayHaveHappened = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#try<Value>(call, endsAt);
      } catch (thrown) {
        const error = thrown as FlotillaError; // #try throws nothing else
        mayHaveHappened ||= error.ambiguous;
        const pauseMs = this.#pauseMs(attempt, error);
        const repeats = isWorthRetrying(error) && attempt < maxAttempts && nowMs() + pauseMs < endsAt;
        if (!repeats) throw finalError(error, call, mayHaveHappened);
        await pause(pauseMs, call.signal);
      }
    }
  }

  async get<Value>(path: string, options: CallOptions = {}): Promise<Value> {
    return (await this.call<Value>({ ...options, method: 'GET', path })).value;
  }

  async delete<Value>(path: string, options: CallOptions = {}): Promise<Value> {
    return (await this.call<Value>({ ...options, method: 'DELETE', path })).value;
  }

  async post<Value>(path: string, body: unknown, options: CallOptions = {}): Promise<Value> {
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    return (await this.call<Value>({ ...options, ...text, method: 'POST', path })).value;
  }

  headers(accept: string): Record<string, string> {
    const { apiKey } = this.settings;
    return { accept, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) };
  }

  async #try<Value>(call: Call, endsAt: number): Promise<Answer<Value>> {
    const limit = limitBy(endsAt - nowMs(), call.signal);
    try {
      if (call.signal?.aborted === true)
        throw new FlotillaError('CALL_ABORTED', 'the call was given up before it was made');
      const headers = { ...this.headers('application/json'), ...call.headers };
      if (call.body !== undefined) Object.assign(headers, { 'content-type': 'application/json' }, activeTrace());
      const response = await fetch(this.settings.url + call.path, {
        method: call.method,
        headers,
        redirect: 'manual',
        signal: limit.signal,
        ...(call.body !== undefined && { body: call.body }),
      });
      const text = await response.text();
      if (response.status < 200 || response.status > 299) throw errorOfAnswer(response.status, text);
      return { value: parseAnswer<Value>(text), status: response.status };
    } catch (thrown) {
      if (isFlotillaError(thrown)) throw thrown;
      if (limit.isOver()) {
        const message = `no answer from ${this.settings.url} before the deadline`;
        throw new FlotillaError('DEADLINE_EXCEEDED', message, { ambiguous: true, cause: thrown });
      }
      if (call.signal?.aborted === true) {
        throw new FlotillaError('CALL_ABORTED', 'the call was given up', {
          ambiguous: true,
          cause: call.signal.reason,
        });
      }
      throw errorOfConnection(thrown, this.settings.url);
    } finally {
      limit.release();
    }
  }

  /** Doubling with half of it random; a server that says when to come back is believed. */
  #pauseMs(attempt: number, error: FlotillaError): number {
    const { initialMs, maxMs } = this.settings.retry;
    const fullMs = Math.min(maxMs, initialMs * 2 ** (attempt - 1));
    return Math.max(error.retryAfterMs ?? 0, fullMs / 2 + (Math.random() * fullMs) / 2);
  }
}

function parseAnswer<Value>(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    const message = 'the server at the URL does not answer with JSON: it is no Flotilla scheduler';
    throw new FlotillaError('INTERNAL', message, { ambiguous: true, cause: error });
  }
}

/**
 * The error with the ambiguity of all tries: "try again later" now does not undo what an earlier try may have done. A
 * refusal for good would have met the earlier tries as well.
 */
function finalError(error: FlotillaError, call: Call, mayHaveHappened: boolean): FlotillaError {
  const carries = isWorthRetrying(error) || error.code === 'CALL_ABORTED';
  const ambiguous = call.method !== 'GET' && (carries ? mayHaveHappened : error.ambiguous);
  if (ambiguous === error.ambiguous) return error;
  return new FlotillaError(error.code, error.message, {
    problems: error.problems,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    ambiguous,
    cause: error.cause,
  });
}
