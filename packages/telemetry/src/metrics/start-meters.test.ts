import { expect, test } from '@jest/globals';
import { createLogger } from '../create-logger.ts';
import { NO_METERS, observeValue } from './meters.ts';
import { startMeters } from './start-meters.ts';

const logger = createLogger({ name: 'test', level: 'silent' });
const start = (environment: NodeJS.ProcessEnv = {}) => startMeters({ service: 'test', environment, logger });

test('at the level off nothing is recorded, and /metrics says why', async () => {
  const meters = await start({ FLOTILLA_TELEMETRY: 'off' });
  expect(meters).toBe(NO_METERS);
  meters.add('flotilla_signals_total', {});
  expect(await meters.render()).toBe('# metrics are off: FLOTILLA_TELEMETRY=off\n');
});

test('counters, histograms and gauges are shown as Prometheus reads them, labels escaped', async () => {
  const meters = await start();
  meters.add('flotilla_signals_total', {});
  meters.add('flotilla_signals_total', {}, 2);
  meters.add('flotilla_loop_turns_total', { loop: 'quote" and \\ and\nline' });
  meters.record('flotilla_queue_wait_ms', 7, { queue: 'default' });
  let open = 3;
  observeValue(meters, 'flotilla_http_connections', () => open);
  const text = await meters.render();
  expect(text).toMatch(/^# TYPE flotilla_signals_total counter\nflotilla_signals_total 3$/m);
  expect(text).toContain('flotilla_loop_turns_total{loop="quote\\" and \\\\ and\\nline"} 1');
  expect(text).toMatch(/^flotilla_queue_wait_ms_bucket\{queue="default",le="5"\} 0$/m);
  expect(text).toMatch(/^flotilla_queue_wait_ms_bucket\{queue="default",le="10"\} 1$/m);
  expect(text).toMatch(/^flotilla_http_connections 3$/m);
  open = 4;
  expect(await meters.render()).toMatch(/^flotilla_http_connections 4$/m);
  await meters.shutdown();
});

test('a gauge that cannot be read is left out, and the others are told', async () => {
  const meters = await start();
  meters.observe(['flotilla_outbox_depth'], () => Promise.reject(new Error('Redis is away')));
  observeValue(meters, 'flotilla_http_connections', () => 1);
  const text = await meters.render();
  expect(text).not.toContain('flotilla_outbox_depth');
  expect(text).toMatch(/^flotilla_http_connections 1$/m);
  await meters.shutdown();
});
