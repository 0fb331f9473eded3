import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { REDACTED, redactText } from '../redact-text.ts';
import { isSecretName } from '../secret-names.ts';

type Attributes = ReadableSpan['attributes'];

/** Takes what looks like a secret out of every span, also of those that libraries of handlers make, before it leaves. */
export function redacting(exporter: SpanExporter): SpanExporter {
  return {
    export: (spans, done) => exporter.export(spans.map(redactSpan), done),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

function redactSpan(span: ReadableSpan): ReadableSpan {
  return Object.create(span, {
    name: { value: redactText(span.name), enumerable: true },
    attributes: { value: redactAttributes(span.attributes), enumerable: true },
    status: {
      value: { ...span.status, ...(span.status.message && { message: redactText(span.status.message) }) },
      enumerable: true,
    },
    events: {
      value: span.events.map((event) => ({ ...event, attributes: redactAttributes(event.attributes ?? {}) })),
      enumerable: true,
    },
  }) as ReadableSpan;
}

function redactAttributes(attributes: Attributes): Attributes {
  const clean: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) clean[name] = redactValue(name, value);
  return clean;
}

function redactValue(name: string, value: Attributes[string]): Attributes[string] {
  if (isSecretName(name)) return REDACTED;
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value) && value.some((item) => typeof item === 'string')) {
    return value.map((item) => (typeof item === 'string' ? redactText(item) : String(item)));
  }
  return value;
}
