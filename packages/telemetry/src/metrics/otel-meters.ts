import type { Attributes, BatchObservableResult } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider } from '@opentelemetry/sdk-metrics';
import { BoundLabels } from './bound-labels.ts';
import type { Meters, Reading } from './meters.ts';
import { METRICS, type MetricDefinition, type MetricName } from './metric-table.ts';

const COLLECT_MS = 2000;
const SHUTDOWN_MS = 2000;

export interface OtelMetersOptions {
  /** Attributes of the process: `service.name`, `service.instance.id`. */
  resource: Attributes;
  /** Besides Prometheus' scrapes. */
  readers: readonly IMetricReader[];
}

/** Metrics by OpenTelemetry's SDK, read by scrapes and by whatever exporters there are. Loaded only when metrics are on. */
export function createOtelMeters({ resource, readers }: OtelMetersOptions): Meters {
  const scrapes = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const provider = new MeterProvider({ resource: resourceFromAttributes(resource), readers: [scrapes, ...readers] });
  const meter = provider.getMeter('flotilla');
  const labels = new BoundLabels();
  const counters = new Map(
    namesOf('counter').map((name) => [name, meter.createCounter(name, optionsOf(name))] as const),
  );
  const histograms = new Map(
    namesOf('histogram').map((name) => [name, meter.createHistogram(name, optionsOf(name))] as const),
  );
  return {
    add: (name, given, by = 1) => counters.get(name)?.add(by, labels.bound(given)),
    record: (name, value, given) => histograms.get(name)?.record(value, labels.bound(given)),
    observe: (names, read) => {
      const gauges = new Map(names.map((name) => [name, meter.createObservableGauge(name, optionsOf(name))] as const));
      const tell = (result: BatchObservableResult, { name, value, labels: given }: Reading) => {
        const gauge = gauges.get(name);
        if (gauge !== undefined && Number.isFinite(value)) result.observe(gauge, value, labels.bound(given));
      };
      meter.addBatchObservableCallback(
        async (result) => {
          for (const reading of await read()) tell(result, reading);
        },
        [...gauges.values()],
      );
    },
    render: async () => {
      // Gauges that cannot be read are missing; `errors` has why, and each reader logs that itself.
      const { resourceMetrics } = await scrapes.collect({ timeoutMillis: COLLECT_MS });
      return `${serializer.serialize(resourceMetrics)}\n`;
    },
    shutdown: () => provider.shutdown({ timeoutMillis: SHUTDOWN_MS }).catch(() => undefined),
  };
}

function namesOf(kind: MetricDefinition['kind']): MetricName[] {
  return (Object.keys(METRICS) as MetricName[]).filter((name) => METRICS[name].kind === kind);
}

function optionsOf(name: MetricName) {
  const { unit, help, buckets }: MetricDefinition = METRICS[name];
  return {
    ...{ unit, description: help },
    ...(buckets === undefined ? {} : { advice: { explicitBucketBoundaries: [...buckets] } }),
  };
}
