import {
  context,
  type Span,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { SPAN_ATTRIBUTES, SPANS } from '../names.ts';
import type { ChosenIds } from './chosen-ids.ts';
import type { ProcessLoad } from './process-load.ts';
import { attemptSpanIdOf, runSpanIdOf, type TraceParent, traceIdOf } from './trace-context.ts';

/** A run, as far as its trace shows it. `parent`: what the caller's `traceparent` said. */
export interface TracedRun {
  runId: string;
  workflow: string;
  parent: TraceParent | undefined;
}

export interface TracedAttempt {
  run: TracedRun;
  stepId: string;
  /** What the step calls: a handler. */
  use?: string | undefined;
  attemptId: string;
  /** From 1. */
  attempt: number;
  agentId: string;
  isCleanup: boolean;
  /** Redis' clock. */
  startedAt: number;
}

/** How an attempt ended. `lost`: its worker died. */
export interface TracedEnd {
  outcome: string;
  /** Redis' clock. */
  endedAt: number;
  error?: { type: string; code: string } | undefined;
  retryInMs?: number | undefined;
}

export interface TracedRunEnd {
  status: string;
  createdAt: number;
  endedAt: number;
  opening: number;
  version: string | undefined;
  events: readonly { name: string; at: number }[];
}

export interface TracingParts {
  tracer: Tracer;
  ids: ChosenIds;
  load: ProcessLoad;
  /** Whether a trace that no caller has decided about is recorded. */
  isSampled: (traceId: string) => boolean;
  flush: () => Promise<void>;
  shutdown: () => Promise<void>;
}

const RUNS_WITH_TROUBLE: ReadonlySet<string> = new Set(['failed', 'timed-out']);

/** Spans of runs and attempts. All times are Redis' clock's: one clock for what many processes do. */
export class Tracing {
  readonly #parts: TracingParts;

  constructor(parts: TracingParts) {
    this.#parts = parts;
  }

  /** Exports what has ended; waits no longer than this. Never rejects. */
  flush(limitMs: number): Promise<void> {
    return within(this.#parts.flush(), limitMs);
  }

  /** As `flush`, and the end of tracing. */
  async shutdown(limitMs: number): Promise<void> {
    this.#parts.load.stop();
    await within(this.#parts.shutdown(), limitMs);
  }

  beginAttempt(attempt: TracedAttempt): AttemptSpan {
    const { run, stepId, use, attemptId, agentId, isCleanup, startedAt } = attempt;
    const attributes = {
      ...runAttributes(run),
      [SPAN_ATTRIBUTES.stepId]: stepId,
      ...(use !== undefined && { [SPAN_ATTRIBUTES.handler]: use }),
      [SPAN_ATTRIBUTES.agentId]: agentId,
      [SPAN_ATTRIBUTES.attempt]: attempt.attempt,
      [SPAN_ATTRIBUTES.attemptId]: attemptId,
    };
    const parent = trace.setSpanContext(context.active(), this.#rootOf(run));
    const name = isCleanup ? SPANS.cleanup : SPANS.attempt;
    const span = this.#parts.ids.for({ spanId: attemptSpanIdOf(attemptId) }, () =>
      this.#parts.tracer.startSpan(name, { startTime: startedAt, attributes }, parent),
    );
    return new AttemptSpan(span, this.#parts.load);
  }

  /** The span of a run that has ended. */
  recordRun(run: TracedRun, end: TracedRunEnd): void {
    const { runId, parent } = run;
    const { status, createdAt, endedAt, opening, version, events } = end;
    const attributes = {
      ...runAttributes(run),
      ...(version !== undefined && { [SPAN_ATTRIBUTES.workflowVersion]: version }),
      [SPAN_ATTRIBUTES.runStatus]: status,
      [SPAN_ATTRIBUTES.opening]: opening,
    };
    // Without a caller's span the first opening is the root of its trace, and later ones stand under it.
    const above = parent ?? (opening > 1 ? this.#rootOf(run) : undefined);
    const around =
      above === undefined
        ? trace.deleteSpan(context.active())
        : trace.setSpanContext(context.active(), 'isSampled' in above ? remote(above) : above);
    const ids = { traceId: traceIdOf(runId), spanId: runSpanIdOf(runId, opening) };
    const span = this.#parts.ids.for(ids, () =>
      this.#parts.tracer.startSpan(SPANS.run, { startTime: createdAt, attributes, root: above === undefined }, around),
    );
    for (const { name, at } of events) span.addEvent(name, at);
    if (RUNS_WITH_TROUBLE.has(status)) span.setStatus({ code: SpanStatusCode.ERROR, message: status });
    span.end(endedAt);
  }

  /** The trace that a run belongs to, for logs and pages. */
  traceIdOf({ runId, parent }: Pick<TracedRun, 'runId' | 'parent'>): string {
    return parent?.traceId ?? traceIdOf(runId);
  }

  /** The run's own span, which its attempts stand under. It is exported when the run has ended. */
  #rootOf(run: TracedRun): SpanContext {
    const traceId = this.traceIdOf(run);
    const isSampled = run.parent?.isSampled ?? this.#parts.isSampled(traceId);
    return remote({ traceId, spanId: runSpanIdOf(run.runId), isSampled });
  }
}

/** One attempt, while it is under way. */
export class AttemptSpan {
  readonly #span: Span;
  readonly #load: ProcessLoad;

  constructor(span: Span, load: ProcessLoad) {
    this.#span = span;
    this.#load = load;
  }

  /** As OpenTelemetry names them in log lines. */
  get logFields(): { trace_id: string; span_id: string } {
    const { traceId, spanId } = this.#span.spanContext();
    return { trace_id: traceId, span_id: spanId };
  }

  /** Spans that are made in the call stand under the attempt's. */
  within<T>(call: () => T): T {
    return context.with(trace.setSpan(context.active(), this.#span), call);
  }

  end({ outcome, endedAt, error, retryInMs }: TracedEnd): void {
    this.#span.setAttributes({
      [SPAN_ATTRIBUTES.outcome]: outcome,
      [SPAN_ATTRIBUTES.memoryBytes]: this.#load.memoryBytes,
      [SPAN_ATTRIBUTES.cpuUtilization]: this.#load.cpuUtilization,
    });
    this.#finish({ outcome, endedAt, error, retryInMs });
  }

  /** Of an attempt that another process has made: nothing is known of what it took. */
  endAsSeen(end: TracedEnd): void {
    this.#span.setAttribute(SPAN_ATTRIBUTES.outcome, end.outcome);
    this.#finish(end);
  }

  #finish({ outcome, endedAt, error, retryInMs }: TracedEnd): void {
    if (error !== undefined) {
      this.#span.setAttributes({ [SPAN_ATTRIBUTES.errorType]: error.type, [SPAN_ATTRIBUTES.errorCode]: error.code });
    }
    if (retryInMs !== undefined) this.#span.setAttribute(SPAN_ATTRIBUTES.backoffMs, retryInMs);
    // Not the message: what a handler says may hold what it was given.
    if (error !== undefined || outcome === 'lost') {
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error?.code ?? outcome });
    }
    this.#span.end(endedAt);
  }
}

function runAttributes({ runId, workflow }: TracedRun) {
  return { [SPAN_ATTRIBUTES.runId]: runId, [SPAN_ATTRIBUTES.workflow]: workflow };
}

function remote({ traceId, spanId, isSampled }: TraceParent): SpanContext {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

async function within(promise: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise.catch(() => undefined), limit]);
  clearTimeout(timer);
}
