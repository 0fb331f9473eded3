import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  /** Of the library that made it. */
  scope: string;
  service: string;
  startedAtMs: number;
  endedAtMs: number;
  attributes: Readonly<Record<string, unknown>>;
  events: readonly string[];
  isError: boolean;
}

interface OtlpValue {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
}
type OtlpAttributes = { key: string; value: OtlpValue }[];
interface OtlpSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: OtlpAttributes;
  events?: { name: string }[];
  status?: { code?: number };
}
interface OtlpRequest {
  resourceSpans: {
    resource: { attributes: OtlpAttributes };
    scopeSpans: { scope: { name: string }; spans: OtlpSpan[] }[];
  }[];
}

interface OtlpMetrics {
  resourceMetrics: {
    resource: { attributes: OtlpAttributes };
    scopeMetrics: { metrics: { name: string; unit?: string }[] }[];
  }[];
}

/** Takes spans and metrics over OTLP, as any backend does: JSON is understood, Protobuf is kept as it came. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** `SERVICE NAME` of the metrics that have come. */
  readonly metrics = new Set<string>();
  /** Bodies as they came, and the paths that they were sent to. */
  readonly bodies: Buffer[] = [];
  readonly paths = new Set<string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.paths.add(request.url ?? '');
        const body = Buffer.concat(chunks);
        this.bodies.push(body);
        const isJson = request.headers['content-type'] === 'application/json';
        if (isJson) this.#take(JSON.parse(body.toString()) as OtlpRequest | OtlpMetrics);
        response.writeHead(200, { 'content-type': request.headers['content-type'] ?? '' });
        response.end(isJson ? '{}' : '');
      });
    });
  }

  #take(request: OtlpRequest | OtlpMetrics): void {
    if ('resourceSpans' in request) {
      this.spans.push(...spansOf(request));
      return;
    }
    for (const { resource, scopeMetrics } of request.resourceMetrics) {
      const service = String(valuesOf(resource.attributes)['service.name']);
      for (const { name } of scopeMetrics.flatMap(({ metrics }) => metrics)) this.metrics.add(`${service} ${name}`);
    }
  }

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Spans of a trace, by name. */
  ofTrace(traceId: string, name?: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId && (name === undefined || span.name === name));
  }
}

function spansOf({ resourceSpans }: OtlpRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(valuesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        ...{ name: span.name, traceId: span.traceId, spanId: span.spanId, scope: scope.name, service },
        parentSpanId: span.parentSpanId === '' ? undefined : span.parentSpanId,
        startedAtMs: Number(BigInt(span.startTimeUnixNano) / 1000n) / 1000,
        endedAtMs: Number(BigInt(span.endTimeUnixNano) / 1000n) / 1000,
        attributes: valuesOf(span.attributes ?? []),
        events: (span.events ?? []).map(({ name }) => name),
        isError: span.status?.code === 2,
      })),
    );
  });
}

function valuesOf(attributes: OtlpAttributes): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.doubleValue ?? value.boolValue ?? Number(value.intValue),
    ]),
  );
}
