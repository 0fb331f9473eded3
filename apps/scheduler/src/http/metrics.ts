/** Counters, gauges and durations in Prometheus' text format: the few that a scheduler has. */
type Labels = Readonly<Record<string, string | number>>;

export interface Metrics {
  /** Adds to a counter; its name ends in `_total`. */
  count(name: string, help: string, labels?: Labels, by?: number): void;
  /** Sets a gauge, or has it asked for at each scrape. */
  gauge(name: string, help: string, value: number | (() => number), labels?: Labels): void;
  /** One duration in seconds, kept as sum and count. */
  observe(name: string, help: string, seconds: number, labels?: Labels): void;
  render(): string;
}

interface Family {
  help: string;
  type: 'counter' | 'gauge' | 'summary';
  series: Map<string, number | (() => number)>;
}

/** Distinct label sets of one metric; more are not recorded, so that labels cannot fill the memory. */
const MAX_SERIES = 1000;

export function createMetrics(): Metrics {
  const families = new Map<string, Family>();

  function family(name: string, help: string, type: Family['type']): Family {
    let found = families.get(name);
    if (found === undefined) {
      found = { help, type, series: new Map() };
      families.set(name, found);
    }
    return found;
  }

  function add(series: Family['series'], key: string, by: number): void {
    const before = series.get(key);
    if (before === undefined && series.size >= MAX_SERIES) return;
    series.set(key, (typeof before === 'number' ? before : 0) + by);
  }

  return {
    count(name, help, labels = {}, by = 1) {
      add(family(name, help, 'counter').series, `${name}${format(labels)}`, by);
    },
    gauge(name, help, value, labels = {}) {
      family(name, help, 'gauge').series.set(`${name}${format(labels)}`, value);
    },
    observe(name, help, seconds, labels = {}) {
      const { series } = family(name, help, 'summary');
      const suffix = format(labels);
      add(series, `${name}_sum${suffix}`, seconds);
      add(series, `${name}_count${suffix}`, 1);
    },
    render() {
      let text = '';
      for (const [name, { help, type, series }] of families) {
        text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
        for (const [key, value] of series) text += `${key} ${typeof value === 'function' ? value() : value}\n`;
      }
      return text;
    },
  };
}

/** Runs for every request, so without intermediate lists. */
function format(labels: Labels): string {
  let text = '';
  for (const name in labels) {
    const value = String(labels[name]);
    text += `${text === '' ? '{' : ','}${name}="${NEEDS_ESCAPE.test(value) ? escapeLabel(value) : value}"`;
  }
  return text === '' ? '' : `${text}}`;
}

const NEEDS_ESCAPE = /[\\"\n]/;

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
