import type { StepError } from '@flotilla/contracts';
import { type Classification, type ClassifyRule, classifyError } from '@flotilla/engine';
import { AttemptAborted, type AttemptControl } from '../attempt-control.ts';
import { describeStack } from '../error-stack.ts';
import type { HandlerEnd } from '../run-handler.ts';

/** A failed attempt, classified. */
export interface Failure {
  classification: Classification;
  /** What was thrown, where something was. */
  thrown: unknown;
  /** A time limit ended it. */
  timedOut: boolean;
  isAbandoned: boolean;
}

/** What has failed; undefined when the handler returned within its limits. */
export function failureOf(
  result: HandlerEnd,
  control: AttemptControl,
  { rules, nowMs }: { rules: readonly ClassifyRule[]; nowMs: number },
): Failure | undefined {
  const timedOut = isTimeout(control);
  if (result.kind === 'returned' && !timedOut) return undefined;
  const thrown = result.kind === 'threw' ? result.error : undefined;
  const isAbandoned = result.kind === 'abandoned';
  if (timedOut) return { classification: timeoutOf(control), thrown, timedOut, isAbandoned };
  if (isAbandoned) {
    const message = 'the handler did not end after its abort';
    return { classification: { type: 'timeout', code: 'TIMEOUT', message }, thrown, timedOut, isAbandoned };
  }
  const classification = classifyError(thrown, { rules, nowMs, isOwnAbort: control.cause !== undefined });
  return { classification, thrown, timedOut, isAbandoned };
}

/** What is stored of a failure. */
export function errorOf({ classification: { type, code, message }, thrown }: Failure): StepError {
  const stack = describeStack(thrown);
  return { type, code, message, ...(stack === undefined ? {} : { stack }) };
}

function isTimeout({ cause }: AttemptControl): boolean {
  return cause === 'attempt-time' || cause === 'total-time' || cause === 'heartbeat';
}

function timeoutOf({ signal }: AttemptControl): Classification {
  const message = signal.reason instanceof AttemptAborted ? signal.reason.message : 'the attempt timed out';
  return { type: 'timeout', code: 'TIMEOUT', message };
}
