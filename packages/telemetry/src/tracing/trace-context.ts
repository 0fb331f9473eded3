import { createHash } from 'node:crypto';

/**
 * Which trace a run belongs to. Nothing is stored for a run whose caller brought no trace: its ids follow from its own, so that
 * each process names the same ones without asking. See docs/guides/tracing.md.
 */

/** What a caller's `traceparent` header says: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  isSampled: boolean;
}

/** Later versions may append fields behind a dash; version ff is not one. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;
const VERSION_ZERO_LENGTH = 55;

/** Undefined for anything that the standard has ignored. */
export function parseTraceparent(text: string): TraceParent | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (text.startsWith('00-') && text.length !== VERSION_ZERO_LENGTH) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** The trace of a run whose caller brought none. */
export function traceIdOf(runId: string): string {
  return digits(`run ${runId}`, 32);
}

/** A run that is opened again gets another span in the same trace; attempts stand under the first. */
export function runSpanIdOf(runId: string, opening = 1): string {
  return digits(opening === 1 ? `run ${runId}` : `run ${runId} ${opening}`, 48).slice(32);
}

export function attemptSpanIdOf(attemptId: string): string {
  return digits(`attempt ${attemptId}`, 16);
}

/** What a run hands down to the runs that it starts; `stored`: what its own caller brought. */
export function traceparentUnder(runId: string, stored: string | undefined): string {
  const parent = parseTraceparent(stored ?? '');
  const traceId = parent?.traceId ?? traceIdOf(runId);
  return formatTraceparent({ traceId, spanId: runSpanIdOf(runId), isSampled: parent?.isSampled ?? true });
}

function digits(text: string, count: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, count);
}
