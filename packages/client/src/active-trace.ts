/** What OpenTelemetry's API keeps for all copies of itself in a process, as far as it is needed here. */
interface TelemetryApi {
  context?: { active(): unknown };
  propagation?: {
    inject(context: unknown, carrier: Record<string, string>, setter: { set: typeof setEntry }): void;
  };
}

const API = Symbol.for('opentelemetry.js.api.1');

/**
 * `traceparent` of the span that is active now, so that a run stands in its caller's trace; nothing where the process does not
 * use OpenTelemetry. The package depends on nothing of it.
 */
export function activeTrace(): { traceparent?: string } {
  const { context, propagation } = ((globalThis as Record<symbol, unknown>)[API] ?? {}) as TelemetryApi;
  if (context === undefined || propagation === undefined) return {};
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier, { set: setEntry });
  const { traceparent } = carrier;
  return traceparent === undefined ? {} : { traceparent };
}

function setEntry(carrier: Record<string, string>, key: string, value: string): void {
  carrier[key] = value;
}
