import { ERROR_TYPES, type ErrorType } from '@flotilla/contracts';
import { TYPE_OF_CODE, typeOfHttpStatus } from './error-code-types.ts';

/** What becomes of the step, and which class of `@flotilla/steps` says so. */
const MEANING: Record<ErrorType, { follows: string; thrown: string }> = {
  retryable: {
    follows: 'another attempt, after the backoff',
    thrown: '`RetryableError`, and what says nothing of itself',
  },
  non_retryable: {
    follows: 'none: the step fails',
    thrown: '`NonRetryableError`, and programming errors (`TypeError` …)',
  },
  rate_limited: {
    follows: 'another attempt, after the wait that was asked for, else the backoff',
    thrown: '`RateLimitedError`',
  },
  resource_exhausted: {
    follows: 'another attempt, after the backoff; the worker takes less work for a while',
    thrown: '`ResourceExhaustedError`',
  },
  timeout: {
    follows: 'another attempt, after the backoff',
    thrown:
      '`TimeoutError`, a time limit that was exceeded, and an `AbortError` of a call that the handler aborted itself',
  },
  cancelled: { follows: 'none, ever', thrown: "`CancelledError`, and what the attempt's own `signal` has aborted" },
  crash: {
    follows: 'another attempt at once, not charged, up to the crash limit',
    thrown: 'nobody: the worker died or lost its lease',
  },
};

/** File that the page shows. */
export const EXAMPLE = 'tests/integration/fixtures/typed-errors.ts';

/** The text of docs/reference/error-types.md, from the tables; `example` is the text of that file. */
export function renderErrorTypes(example: string): string {
  return `# Types of errors

Generated from \`packages/engine/src/error-code-types.ts\` (\`pnpm --filter @flotilla/engine error-types\`).

What a handler throws is classified once, and the type alone decides whether another attempt follows. It is shown as
\`error.type\` of the step.

| Type | Another attempt | Thrown as |
| --- | --- | --- |
${ERROR_TYPES.map((type) => `| \`${type}\` | ${MEANING[type].follows} | ${MEANING[type].thrown} |`).join('\n')}

The classes come from \`@flotilla/steps\` and take \`{ code, status, retryAfterMs, cause }\`. They are recognised by a property,
not by \`instanceof\`: two copies of the package in one worker do no harm.

## How the type is found

The first of these that gives a type decides:

1. the rules that the handler modules export;
2. the attempt's own \`signal\`: when it has fired, an \`AbortError\` is its cancellation; else the type that the error's class says; its
   own \`retryable\`; its \`code\`; its HTTP \`status\` or \`statusCode\`, also of its \`response\`; an \`AbortError\` or
   \`TimeoutError\`; a validation error with \`issues\`;
3. the same of its causes (\`cause\`, and \`errors\` of an aggregate), up to eight;
4. a programming error (\`TypeError\`, \`RangeError\` …) among them is \`non_retryable\`: only now, for \`fetch\` wraps a lost
   connection in a \`TypeError\`;
5. else \`retryable\`.

Messages are never searched for words.

The wait is the first of the error's \`retryAfterMs\`, its \`retryAfter\` (seconds or a date), and the headers of the error or its
\`response\`: \`Retry-After\`, \`retry-after-ms\`, and, when the limit is used up, \`RateLimit\` and \`(x-)ratelimit-reset\`. Dates are
measured against the answer's \`Date\`, else against Redis' clock.

## Your own rules

A handler module may export \`classifyRules\`: functions that are asked about every error that a handler of that worker throws, in
order, before anything else. One that answers nothing, nonsense or an error of its own is passed over.

<!-- from: ${EXAMPLE} -->
\`\`\`ts
${example}\`\`\`

## Codes

| Type | \`error.code\` |
| --- | --- |
${ERROR_TYPES.map((type) => `| \`${type}\` | ${codesOf(type) || '–'} |`).join('\n')}

## HTTP statuses

Below 400 a status says nothing.

| Type | Status |
| --- | --- |
${[...statusesByType()].map(([type, statuses]) => `| \`${type}\` | ${statuses.map(spanOf).join(', ')} |`).join('\n')}
`;
}

function codesOf(wanted: ErrorType): string {
  const codes = [...TYPE_OF_CODE].filter(([, type]) => type === wanted).map(([code]) => `\`${code}\``);
  return codes.sort().join(' ');
}

/** First and last of each row of statuses that follow one another. */
type Span = [first: number, last: number];

function statusesByType(): Map<ErrorType, Span[]> {
  const spans = new Map<ErrorType, Span[]>();
  for (let status = 400; status <= 599; status += 1) {
    const type = typeOfHttpStatus(status);
    if (type === undefined) continue;
    const own = spans.get(type) ?? [];
    spans.set(type, own);
    const last = own.at(-1);
    if (last?.[1] === status - 1) last[1] = status;
    else own.push([status, status]);
  }
  return spans;
}

function spanOf([first, last]: Span): string {
  return first === last ? String(first) : `${first}–${last}`;
}
