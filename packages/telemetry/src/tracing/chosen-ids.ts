import { randomBytes } from 'node:crypto';
import type { IdGenerator } from '@opentelemetry/sdk-trace';

/** Ids of spans by chance, except where one is chosen for the span that is started next. */
export class ChosenIds implements IdGenerator {
  #next: { traceId?: string; spanId: string } | undefined;

  /** `start` starts one span, which gets these ids. */
  for<T>(ids: { traceId?: string; spanId: string }, start: () => T): T {
    this.#next = ids;
    try {
      return start();
    } finally {
      this.#next = undefined;
    }
  }

  generateTraceId = (): string => this.#next?.traceId ?? randomBytes(16).toString('hex');
  generateSpanId = (): string => this.#next?.spanId ?? randomBytes(8).toString('hex');
}
