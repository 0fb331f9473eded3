import type { CounterName, GaugeName, HistogramName, LabelsOf } from './metric-table.ts';

/** One value of a gauge. */
export type Reading = {
  [Name in GaugeName]: { name: Name; value: number; labels: LabelsOf<Name> };
}[GaugeName];

/** Records the metrics of a process. Nothing here throws, and what is recorded costs no call to anywhere. */
export interface Meters {
  add<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  record<Name extends HistogramName>(name: Name, value: number, labels: LabelsOf<Name>): void;
  /**
   * Has gauges read at each scrape and export. Those that cannot be read within two seconds, or throw, are left out of that one.
   */
  observe(names: readonly GaugeName[], read: () => readonly Reading[] | Promise<readonly Reading[]>): void;
  /** Prometheus' text format. */
  render(): Promise<string>;
  /** Exports what has not been exported, and ends. */
  shutdown(): Promise<void>;
}

/** A gauge without labels. */
export function observeValue(meters: Meters, name: GaugeName, read: () => number): void {
  meters.observe([name], () => [{ name, value: read(), labels: {} } as Reading]);
}

/** For FLOTILLA_TELEMETRY=off, and for tests that measure nothing. */
export const NO_METERS: Meters = {
  add: () => undefined,
  record: () => undefined,
  observe: () => undefined,
  render: async () => '# metrics are off: FLOTILLA_TELEMETRY=off\n',
  shutdown: async () => undefined,
};
