/**
 * What the decision about another attempt works with. The first four are what authors say; `timeout`, `cancelled` and
 * `crash` are what Flotilla itself observes.
 */
export const ERROR_TYPES = [
  'retryable',
  'non_retryable',
  'rate_limited',
  'resource_exhausted',
  'timeout',
  'cancelled',
  'crash',
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

/** The property in which an error says its type. From the registry of symbols, so that two copies of a package agree. */
export const ERROR_TYPE: unique symbol = Symbol.for('flotilla.error-type');

/** What a rule answers: a type alone, or with the code to show and the wait to keep. */
export type ClassifyAnswer = ErrorType | { type: ErrorType; code?: string; retryAfterMs?: number };

/** An author's rule: looks at what was thrown and says what it is, or nothing. The first that answers wins. */
export type ClassifyRule = (error: unknown) => ClassifyAnswer | undefined;
