import { describe, expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

describe('createMetrics', () => {
  test("renders counters, gauges and durations in Prometheus' text format", () => {
    const metrics = createMetrics();
    metrics.count('ticks_total', 'Ticks', { loop: 'a' });
    metrics.count('ticks_total', 'Ticks', { loop: 'a' }, 2);
    metrics.count('ticks_total', 'Ticks', { loop: 'quote" and \\ and\nline' });
    metrics.gauge('open', 'Open', 3);
    metrics.gauge('asked', 'Asked for', () => 7);
    metrics.observe('seconds', 'Durations', 0.25, { route: '/x' });
    metrics.observe('seconds', 'Durations', 0.5, { route: '/x' });
    expect(metrics.render()).toBe(`# HELP ticks_total Ticks
# TYPE ticks_total counter
ticks_total{loop="a"} 3
ticks_total{loop="quote\\" and \\\\ and\\nline"} 1
# HELP open Open
# TYPE open gauge
open 3
# HELP asked Asked for
# TYPE asked gauge
asked 7
# HELP seconds Durations
# TYPE seconds summary
seconds_sum{route="/x"} 0.75
seconds_count{route="/x"} 2
`);
  });

  test('does not grow without bound whatever the labels', () => {
    const metrics = createMetrics();
    for (let index = 0; index < 5000; index += 1) metrics.count('many_total', 'Many', { index });
    expect(metrics.render().split('\n').length).toBeLessThan(1010);
  });
});
