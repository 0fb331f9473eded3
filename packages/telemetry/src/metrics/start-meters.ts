import { randomUUID } from 'node:crypto';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import type { Logger } from '../create-logger.ts';
import { protocolOf, telemetryLevelOf } from '../telemetry-environment.ts';
import { type Meters, NO_METERS } from './meters.ts';

export interface MetersOptions {
  /** `service.name`, where OTEL_SERVICE_NAME says no other. */
  service: string;
  environment: NodeJS.ProcessEnv;
  logger: Logger;
}

/**
 * The metrics of a process: for scrapes, and for OTLP where the environment names an endpoint. At the level `off` nothing of
 * OpenTelemetry is even loaded.
 */
export async function startMeters(options: MetersOptions): Promise<Meters> {
  const { service, environment } = options;
  if (telemetryLevelOf(environment) === 'off') return NO_METERS;
  const [{ createOtelMeters }, readers] = await Promise.all([import('./otel-meters.ts'), readersFor(options)]);
  const resource = {
    'service.name': environment['OTEL_SERVICE_NAME'] || service,
    'service.instance.id': randomUUID(),
  };
  return createOtelMeters({ resource, readers });
}

async function readersFor({ environment, logger }: MetersOptions): Promise<IMetricReader[]> {
  if (!isExporting(environment)) return [];
  const protocol = protocolOf(environment, 'METRICS');
  if (protocol === undefined) {
    logger.error('metrics are not exported: OTEL_EXPORTER_OTLP_PROTOCOL is none of http/protobuf and http/json');
    return [];
  }
  const [{ PeriodicExportingMetricReader }, exporter] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    exporterFor(protocol),
  ]);
  logger.info({ protocol }, 'metrics are exported');
  return [new PeriodicExportingMetricReader({ exporter, ...intervalOf(environment) })];
}

async function exporterFor(protocol: string) {
  if (protocol === 'http/json') {
    const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-http');
    return new OTLPMetricExporter();
  }
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-proto');
  return new OTLPMetricExporter();
}

function isExporting(environment: NodeJS.ProcessEnv): boolean {
  const isOff = environment['OTEL_SDK_DISABLED'] === 'true' || environment['OTEL_METRICS_EXPORTER'] === 'none';
  const endpoint = environment['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return !isOff && endpoint !== undefined && endpoint !== '';
}

/** As the standard has them: every minute unless told, and half of that for one export. */
function intervalOf(environment: NodeJS.ProcessEnv) {
  const given = Number(environment['OTEL_METRIC_EXPORT_INTERVAL'] || 60_000);
  const exportIntervalMillis = Number.isSafeInteger(given) && given >= 100 ? given : 60_000;
  const limit = Number(environment['OTEL_METRIC_EXPORT_TIMEOUT'] || 30_000);
  const exportTimeoutMillis = Math.min(exportIntervalMillis, Number.isSafeInteger(limit) && limit > 0 ? limit : 30_000);
  return { exportIntervalMillis, exportTimeoutMillis };
}
