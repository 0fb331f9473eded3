import { isLimitUsedUp, type Json, JsonTextError, parseForeignJson, retryAfterOfHeaders } from '@flotilla/contracts';
import { StepFailure } from '../step-failure.ts';
import { RateLimitedError } from '../typed-errors.ts';

/** Longest answer body that is taken: an output may not be larger either. */
export const MAX_BODY_BYTES = 262_144;

/** Header names in lower case; several values of one name are joined by a comma. */
export type AnswerHeaders = Record<string, string>;

/**
 * Reads a body up to the limit; an unending one is cut off, not collected.
 * @throws StepFailure `PAYLOAD_TOO_LARGE`, not retryable.
 */
export async function readBody(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

export function tooLarge(): StepFailure {
  const message = `the answer is larger than ${MAX_BODY_BYTES} bytes`;
  return new StepFailure(message, { code: 'PAYLOAD_TOO_LARGE', retryable: false });
}

/**
 * JSON when the answer says so, else text; null when there is nothing. A number that would be changed is given as text:
 * the request has had its effect, and nobody can ask the server to write it in another way.
 */
export function decodeBody(body: Uint8Array, headers: AnswerHeaders): Json {
  if (body.byteLength === 0) return null;
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const text = decoderFor(parameters).decode(body);
  if (!/^application\/(?:[\w.+-]+\+)?json$/.test(type.trim())) return text;
  try {
    return parseForeignJson(text) as Json;
  } catch (error) {
    const why = error instanceof JsonTextError ? error.message : 'it cannot be read';
    throw unreadable(`the answer says it is JSON and cannot be taken as such: ${why}`, error);
  }
}

/**
 * What an answer that is no success means. An answer that is out of quota is a rate limit whatever its status: some servers
 * say 403 then. The wait is that of `Retry-After` or of the rate limit's headers.
 */
export function failureOfAnswer(what: string, status: number, headers: AnswerHeaders, nowMs: number): StepFailure {
  const read = (name: string) => headers[name];
  const retryAfterMs = retryAfterOfHeaders(read, nowMs);
  const options = {
    code: 'HTTP_STEP_FAILED',
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  const message = `${what} answered ${status}`;
  const isLimit = status === 429 || (status === 403 && isLimitUsedUp(read) === true);
  return isLimit ? new RateLimitedError(message, options) : new StepFailure(message, options);
}

function decoderFor(parameters: readonly string[]): { decode(body: Uint8Array): string } {
  const charset = parameters.map((parameter) => /^\s*charset="?([\w-]+)"?\s*$/.exec(parameter)?.[1]).find(Boolean);
  try {
    return new TextDecoder(charset ?? 'utf-8');
  } catch (error) {
    throw unreadable(`the answer has the unknown charset ${charset}`, error);
  }
}

/** The request has had its effect; making it again would not help to read the answer. */
export function unreadable(message: string, cause?: unknown): StepFailure {
  return new StepFailure(message, { code: 'HTTP_STEP_FAILED', retryable: false, cause });
}
