import { type LogLevel, MAX_LOG_LINE_CHARACTERS } from '@flotilla/contracts';
import type { KeptLine } from '@flotilla/state';
import type { StepLogger } from '@flotilla/steps';
import { redactFields, redactText } from '@flotilla/telemetry';

/** Lines go out together: so many, or after so long. */
const LINES_A_CHUNK = 100;
const FLUSH_MS = 250;
/** Lines that wait; beyond that the oldest are dropped. */
const MAX_WAITING = 500;

export interface AttemptLogOptions {
  /** Where lines go besides. */
  logger: StepLogger;
  attempt: number;
  /** Redis' clock. */
  now: () => number;
  /** Stores lines; `chunk` is the number of the piece, from 0. */
  store: (lines: readonly KeptLine[], about: { chunk: number; dropped: number }) => Promise<void>;
}

/** What a handler logs with: its lines go to the worker's log, and are kept with the attempt, bounded and redacted. */
export class AttemptLog implements StepLogger {
  readonly #options: AttemptLogOptions;
  #waiting: KeptLine[] = [];
  #dropped = 0;
  #chunk = 0;
  #timer: NodeJS.Timeout | undefined;
  #storing: Promise<void> | undefined;

  constructor(options: AttemptLogOptions) {
    this.#options = options;
  }

  // Functions, not methods: authors take them out of the logger.
  readonly debug = (fields: Record<string, unknown>, message: string): void => this.#take('debug', fields, message);
  readonly info = (fields: Record<string, unknown>, message: string): void => this.#take('info', fields, message);
  readonly warn = (fields: Record<string, unknown>, message: string): void => this.#take('warn', fields, message);
  readonly error = (fields: Record<string, unknown>, message: string): void => this.#take('error', fields, message);

  /** Stores what waits. Never rejects: a log that cannot be kept does not fail a step. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#waiting.length > 0 || this.#storing !== undefined) await this.#flush();
  }

  #take(level: LogLevel, fields: Record<string, unknown>, message: string): void {
    this.#options.logger[level](fields, message);
    this.#waiting.push(this.#lineOf(level, fields, message));
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    if (this.#waiting.length >= LINES_A_CHUNK) void this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS).unref();
  }

  /** As pino, `fields` may be left out, or be an error. */
  #lineOf(level: LogLevel, given: unknown, text: unknown): KeptLine {
    const { attempt, now } = this.#options;
    const isMessage = typeof given === 'string';
    const message = redactText(String((isMessage ? given : text) ?? ''));
    const line: KeptLine = {
      at: Math.round(now()),
      attempt,
      level,
      message: message.slice(0, MAX_LOG_LINE_CHARACTERS),
    };
    const fields = isMessage || typeof given !== 'object' || given === null ? {} : fieldsOf(given);
    const room = MAX_LOG_LINE_CHARACTERS - line.message.length;
    const isTooLong = JSON.stringify(fields).length > room;
    if (Object.keys(fields).length > 0 && !isTooLong) line.fields = fields;
    if (isTooLong || message.length > MAX_LOG_LINE_CHARACTERS) line.cut = true;
    return line;
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#storing ??= this.#storeNext().finally(() => {
      this.#storing = undefined;
    });
    await this.#storing;
  }

  async #storeNext(): Promise<void> {
    const lines = this.#waiting.splice(0, LINES_A_CHUNK);
    if (lines.length === 0) return;
    const about = { chunk: this.#chunk, dropped: this.#dropped };
    this.#chunk += 1;
    this.#dropped = 0;
    try {
      await this.#options.store(lines, about);
    } catch {
      // Redis is full or away: what could not be kept is counted with the next lines.
      this.#dropped += about.dropped + lines.length;
    }
  }
}

function fieldsOf(given: object): Record<string, unknown> {
  return redactFields(given instanceof Error ? { err: given } : { ...given });
}
