import type { Instrumentation } from '@opentelemetry/instrumentation';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../create-logger.ts';
import { OTLP_PROTOCOLS, protocolOf, type TelemetryLevel, telemetryLevelOf } from '../telemetry-environment.ts';
import type { Tracing } from './tracing.ts';

export interface TracingOptions {
  /** `service.name`, where OTEL_SERVICE_NAME says no other. */
  service: string;
  environment: NodeJS.ProcessEnv;
  logger: Logger;
}

/**
 * Starts OpenTelemetry's SDK, when the level is not `off` and the environment names where spans go; else nothing of it is even
 * loaded. Must be called before ioredis is imported: at `full` its commands are spans, too.
 */
export async function startTracing(options: TracingOptions): Promise<Tracing | undefined> {
  const { environment, logger } = options;
  const level = telemetryLevelOf(environment);
  if (level === 'off' || !isExporting(environment)) return undefined;
  const protocol = protocolOf(environment, 'TRACES');
  if (protocol === undefined) {
    const message = 'spans are not exported: OTEL_EXPORTER_OTLP_PROTOCOL is none of those known';
    logger.error({ known: OTLP_PROTOCOLS }, message);
    return undefined;
  }
  return start(options, level, protocol);
}

function isExporting(environment: NodeJS.ProcessEnv): boolean {
  const isOff = environment['OTEL_SDK_DISABLED'] === 'true' || environment['OTEL_TRACES_EXPORTER'] === 'none';
  const endpoint = environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return !isOff && endpoint !== undefined && endpoint !== '';
}

async function start(
  { service, environment, logger }: TracingOptions,
  level: TelemetryLevel,
  protocol: string,
): Promise<Tracing> {
  const instrumentations = level === 'full' ? [await instrumentRedis()] : [];
  const [{ trace, ROOT_CONTEXT }, { NodeSDK }, sdkTrace, { redacting }, { ChosenIds }, { ProcessLoad }, { Tracing }] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-node'),
      import('@opentelemetry/sdk-trace'),
      import('./redacting-exporter.ts'),
      import('./chosen-ids.ts'),
      import('./process-load.ts'),
      import('./tracing.ts'),
    ]);
  const processor = new sdkTrace.BatchSpanProcessor({
    ...batchingOf(environment),
    exporter: redacting(await exporterFor(protocol)),
  });
  const ids = new ChosenIds();
  const sdk = new NodeSDK({
    serviceName: environment['OTEL_SERVICE_NAME'] ?? service,
    spanProcessors: [processor],
    idGenerator: ids,
    instrumentations,
    // Traces alone: what else the SDK would export by default has nowhere to go.
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  const ratio = ratioOf(environment);
  const sampler = ratio === undefined ? undefined : new sdkTrace.TraceIdRatioBasedSampler(ratio);
  const { RECORD_AND_SAMPLED } = sdkTrace.SamplingDecision;
  const isSampled = (traceId: string) => sampler?.shouldSample(ROOT_CONTEXT, traceId).decision === RECORD_AND_SAMPLED;
  logger.info({ level, protocol }, 'spans are exported');
  return new Tracing({
    tracer: trace.getTracer('flotilla'),
    ids,
    load: new ProcessLoad(),
    isSampled: sampler === undefined ? () => environment['OTEL_TRACES_SAMPLER'] !== 'always_off' : isSampled,
    flush: () => processor.forceFlush(),
    shutdown: () => sdk.shutdown(),
  });
}

/** The share that OTEL_TRACES_SAMPLER_ARG names, where traces are chosen by their id: a run's processes choose alike. */
function ratioOf(environment: NodeJS.ProcessEnv): number | undefined {
  if (!environment['OTEL_TRACES_SAMPLER']?.endsWith('traceidratio')) return undefined;
  const ratio = Number(environment['OTEL_TRACES_SAMPLER_ARG'] ?? 1);
  return ratio >= 0 && ratio <= 1 ? ratio : 1;
}

/** For thousands of attempts a second; the SDK's own defaults would drop most of them. The standard's variables win. */
function batchingOf(environment: NodeJS.ProcessEnv) {
  const given = (name: string, standard: number) => {
    const value = Number(environment[name] || Number.NaN);
    return Number.isSafeInteger(value) && value > 0 ? value : standard;
  };
  const maxQueueSize = given('OTEL_BSP_MAX_QUEUE_SIZE', 32_768);
  return {
    maxQueueSize,
    maxExportBatchSize: Math.min(maxQueueSize, given('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 2048)),
    scheduledDelayMillis: given('OTEL_BSP_SCHEDULE_DELAY', 1000),
    exportTimeoutMillis: given('OTEL_BSP_EXPORT_TIMEOUT', 10_000),
  };
}

async function exporterFor(protocol: string): Promise<SpanExporter> {
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    return new OTLPTraceExporter();
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

/** Spans for commands that are sent inside an attempt. Their arguments stay out: they are what users work with. */
async function instrumentRedis(): Promise<Instrumentation> {
  const { register } = await import('node:module');
  register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);
  const { IORedisInstrumentation } = await import('@opentelemetry/instrumentation-ioredis');
  return new IORedisInstrumentation({ requireParentSpan: true, dbStatementSerializer: (command) => command });
}
