import { APPS, METRICS, type MetricDefinition } from './metric-table.ts';

const HEAD = `# Metrics

Generated from \`packages/telemetry/src/metrics/metric-table.ts\`.

Each process shows its metrics at \`/metrics\`, in Prometheus' text format, and sends them to an OTLP backend where
\`OTEL_EXPORTER_OTLP_ENDPOINT\` names one. See [the guide](../guides/metrics.md). Prometheus shows a counter with \`_total\` at the end
of its name, and a histogram as \`_bucket\`, \`_sum\` and \`_count\`. Of the labels \`workflow\`, \`handler\`, \`breaker\` and \`queue\`
the first hundred values of a process are told apart; later ones are \`other\`. No label holds the id of a run, step or attempt.

What is read from Redis says the same in every scheduler: take the maximum over them, not the sum.
`;

/** docs/reference/metrics.md. */
export function renderMetricsReference(): string {
  const all: [string, MetricDefinition][] = Object.entries(METRICS);
  const sections = APPS.map((app) => {
    const rows = all.filter(([, { apps }]) => apps.includes(app) && !isEverywhere(apps));
    return section(`${app[0]?.toUpperCase()}${app.slice(1)}`, rows);
  });
  return [
    HEAD,
    section(
      'Every process',
      all.filter(([, { apps }]) => isEverywhere(apps)),
    ),
    ...sections,
  ].join('\n');
}

const isEverywhere = (apps: readonly string[]): boolean => apps.length === APPS.length;

function section(title: string, rows: readonly (readonly [string, MetricDefinition])[]): string {
  const lines = rows.map(([name, { kind, unit, labels, help }]) => {
    const shown = labels.map((label) => `\`${label}\``).join(' ') || '–';
    return `| \`${name}\` | ${kind} | ${unit === '1' ? '–' : unit} | ${shown} | ${help} |`;
  });
  return [`## ${title}`, '', '| Metric | Kind | Unit | Labels | Meaning |', '|---|---|---|---|---|', ...lines, ''].join(
    '\n',
  );
}
