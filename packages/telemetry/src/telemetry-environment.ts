export const TELEMETRY_LEVELS = ['off', 'basic', 'full'] as const;
export type TelemetryLevel = (typeof TELEMETRY_LEVELS)[number];
/** Nothing is exported until the environment names where to. */
export const DEFAULT_TELEMETRY_LEVEL = 'basic';

export const OTLP_PROTOCOLS = ['http/protobuf', 'http/json'] as const;
export type OtlpProtocol = (typeof OTLP_PROTOCOLS)[number];

/** FLOTILLA_TELEMETRY, before anybody has checked it: what it may not be is off, and the configuration's check tells it. */
export function telemetryLevelOf({ FLOTILLA_TELEMETRY: level = '' }: NodeJS.ProcessEnv): TelemetryLevel {
  if (level === '') return DEFAULT_TELEMETRY_LEVEL;
  return TELEMETRY_LEVELS.find((known) => known === level) ?? 'off';
}

/** How a signal is sent; undefined when the environment names a way that is not known here. */
export function protocolOf(environment: NodeJS.ProcessEnv, signal: 'TRACES' | 'METRICS'): OtlpProtocol | undefined {
  const given =
    environment[`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`] ||
    environment['OTEL_EXPORTER_OTLP_PROTOCOL'] ||
    OTLP_PROTOCOLS[0];
  return OTLP_PROTOCOLS.find((known) => known === given);
}
