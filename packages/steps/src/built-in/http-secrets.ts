import type { Json } from '@flotilla/contracts';
import type { StepFailure } from '../step-failure.ts';

const REDACTED = '***';

/** The values of the secrets that one request was made with: what comes back from it is stored, and must not hold them. */
export class Redactor {
  /** Longest first: one secret may be a part of another. */
  readonly #forms: readonly string[];

  constructor(secrets: readonly string[] = []) {
    this.#forms = [...new Set(secrets.flatMap(formsOf))].sort((left, right) => right.length - left.length);
  }

  holdsSecret(text: string): boolean {
    return this.#forms.some((form) => text.includes(form));
  }

  redactText(text: string): string {
    let redacted = text;
    for (const form of this.#forms) redacted = redacted.replaceAll(form, REDACTED);
    return redacted;
  }

  redactJson(value: Json): Json {
    if (this.#forms.length === 0) return value;
    if (typeof value === 'string') return this.redactText(value);
    if (typeof value === 'number') return this.#forms.includes(String(value)) ? REDACTED : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.redactJson(item));
    const entries = Object.entries(value).map(([key, item]) => [this.redactText(key), this.redactJson(item)] as const);
    return Object.fromEntries(entries);
  }

  redactHeaders(headers: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, this.redactText(value)]));
  }

  /** The same failure. Of its cause only the code is left, by which it is classified. */
  redactFailure(failure: StepFailure): StepFailure {
    if (this.#forms.length === 0) return failure;
    failure.message = this.redactText(failure.message);
    if (failure.stack !== undefined) failure.stack = this.redactText(failure.stack);
    const code = (failure.cause as { code?: unknown } | null | undefined)?.code;
    if (failure.cause !== undefined) failure.cause = typeof code === 'string' ? { code } : undefined;
    return failure;
  }
}

/** As it is, in JSON, and in the parts of a URL. */
function formsOf(secret: string): string[] {
  if (secret === '') return [];
  const url = new URL('http://localhost');
  url.pathname = secret;
  const query = new URLSearchParams({ secret }).toString().slice('secret='.length);
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), url.pathname.slice(1), query].filter(
    (form) => form !== '',
  );
}
