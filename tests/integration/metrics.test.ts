import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type App, METRICS, type MetricDefinition } from '@flotilla/telemetry';
import {
  eventually,
  type Fleet,
  freePort,
  type StartedProcess,
  spawnNode,
  startFleet,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { OtlpReceiver } from './otlp-receiver.ts';

const CANARY = 'canary-51f0ae';
const PROMETHEUS = '/usr/bin/prometheus';
const root = fileURLToPath(new URL('../..', import.meta.url));
const echo = (more: object = {}) => ({ kind: 'task', use: 'flotilla.echo', ...more });

let fleet: Fleet;
let receiver: OtlpReceiver;
let dashboard: StartedProcess;
let urls: Record<App, string>;

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  const otlp = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRIC_EXPORT_INTERVAL: '500',
  };
  const env = {
    ...otlp,
    FLOTILLA_METRICS_PORT: '0',
    FLOTILLA_HANDLERS: join(root, 'tests/integration/fixtures/measured-handlers.ts'),
  };
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers: 1, env });
  dashboard = await spawnNode(join(root, 'apps/dashboard/src/main.ts'), [], {
    cwd: root,
    env: {
      REDIS_URL: fleet.redisUrl,
      FLOTILLA_NAMESPACE: fleet.namespace,
      FLOTILLA_URL: fleet.url,
      FLOTILLA_DASHBOARD_PORT: '0',
      ...otlp,
    },
  });
  urls = {
    scheduler: `${fleet.url}/metrics`,
    worker: await fieldIn(fleet.workers[0]!.process, 'metricsUrl'),
    dashboard: `${await fieldIn(dashboard, 'url')}metrics`,
  };
}, 120_000);

afterAll(async () => {
  dashboard?.signal('SIGKILL');
  await fleet?.stop();
  await receiver?.stop();
});

/** A field of the line in which a process says that it is ready. */
async function fieldIn(process: StartedProcess, name: string): Promise<string> {
  const [, value] = await process.waitForLine(new RegExp(`"${name}":"([^"]+)".*"msg":"ready"`), 60_000);
  return value!;
}

/** Names of the metrics that have a value, as the table has them. */
async function shownBy(app: App): Promise<{ names: Set<string>; text: string }> {
  const answer = await fetch(urls[app]);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/plain/)]);
  const text = await answer.text();
  const shown = text.split('\n').flatMap((line) => /^([a-z_]+)(?:\{.*\})? [-+0-9.eE]+$/.exec(line)?.[1] ?? []);
  const nameOf = (sample: string) => {
    const plain = sample.replace(/_(?:bucket|sum|count)$/, '');
    return [sample, plain, sample.replace(/_total$/, '')].find((name) => Object.hasOwn(METRICS, name)) ?? sample;
  };
  return { names: new Set(shown.map(nameOf)), text };
}

const metricsOf = (app: App) =>
  Object.entries<MetricDefinition>(METRICS).flatMap(([name, { apps }]) => (apps.includes(app) ? [name] : []));

/** Makes each counter count: a retry, a lost attempt that comes back late, dead letters, a cleanup, a signal, a breaker. */
async function useEverything(): Promise<void> {
  const { api } = fleet;
  const start = async (steps: object) =>
    (await api.start({ definition: { flotilla: 1, name: 'measured', steps } })).runId;
  const [plain, failing, undone] = await Promise.all([
    start({ a: echo({ input: { secret: CANARY }, breaker: 'payments' }), b: echo({ needs: ['a'] }) }),
    start({ a: { kind: 'task', use: 'measured.fail', retry: { maxAttempts: 2, initialMs: 1 } } }),
    start({
      a: echo({ compensate: { use: 'measured.fail', retry: { maxAttempts: 1 } } }),
      b: { kind: 'task', use: 'measured.fail', needs: ['a'], retry: { maxAttempts: 1 } },
    }),
  ]);
  const signalled = await start({ s: { kind: 'signal', name: 'go' } });
  await api.request('POST', `/v1/runs/${signalled}/signals/go`, { payload: {} });
  await api.waitForEnd([plain, failing, undone, signalled], { timeoutMs: 60_000 });
  const { cleanups } = await api.get<{ cleanups: { number: number; status: string }[] }>(`/v1/runs/${undone}/cleanups`);
  const failed = cleanups.find(({ status }) => status === 'failed');
  const answers = [
    await api.request('POST', `/v1/dead-letters/${failing}/a/discard`, {}),
    await api.request('POST', `/v1/runs/${undone}/cleanups/${failed?.number}/retry`, {}),
  ];
  expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [200, expect.anything()]));
}

/** A worker that stands still beyond its lease: its attempt is lost, and what it brings later is refused. */
async function loseAnAttempt(): Promise<void> {
  const { api } = fleet;
  const frozen = fleet.workers[0]!;
  const definition = {
    flotilla: 1,
    name: 'measured',
    steps: { a: { kind: 'task', use: 'flotilla.sleep', input: { ms: 1500 } } },
  };
  const { runId } = await api.start({ definition });
  await api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
  frozen.pause();
  const isLost = async () => (await api.history(runId)).some(({ type }) => type === 'attempt-lost');
  await eventually(isLost, { timeoutMs: 40_000 });
  frozen.resume();
  await api.waitForEnd([runId], { timeoutMs: 60_000 });
}

describe('/metrics', () => {
  beforeAll(async () => {
    await useEverything();
    await loseAnAttempt();
    await fetch(urls.dashboard);
  }, 180_000);

  test.each<App>(['scheduler', 'worker', 'dashboard'])(
    'of the %s has a value of each metric that it is to tell',
    async (app) => {
      const missing = async () => {
        const { names } = await shownBy(app);
        return metricsOf(app).filter((name) => !names.has(name));
      };
      await eventually(async () => (await missing()).length === 0, { timeoutMs: 20_000 }).catch(() => undefined);
      expect(await missing()).toEqual([]);
    },
  );

  test('tells nothing that is not in the table, and no payload', async () => {
    for (const app of ['scheduler', 'worker', 'dashboard'] as const) {
      const { names, text } = await shownBy(app);
      expect([...names].filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
      expect(text).not.toContain(CANARY);
    }
  });

  test('are sent over OTLP too, by the same names', async () => {
    const wanted = (['scheduler', 'worker', 'dashboard'] as const).flatMap((app) =>
      metricsOf(app).map((name) => `flotilla-${app} ${name}`),
    );
    const missing = () => wanted.filter((name) => !receiver.metrics.has(name));
    await eventually(() => missing().length === 0, { timeoutMs: 20_000 }).catch(() => undefined);
    expect(missing()).toEqual([]);
    expect([...receiver.paths].sort()).toEqual(['/v1/metrics', '/v1/traces']);
  });

  test('of a scheduler counts the runs as Redis has them now', async () => {
    const { text } = await shownBy('scheduler');
    expect(text).toMatch(/^active_workflows\{status="running"\} 0$/m);
    expect(text).toMatch(/^flotilla_runs\{status="failed"\} 2$/m);
    expect(text).toMatch(/^flotilla_breaker_state\{breaker="payments"\} 0$/m);
  });

  test('of a worker is for names of loopback, GET and known paths only', async () => {
    const { port } = new URL(urls.worker);
    const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init);
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/else')).status).toBe(404);
    expect((await ask('/metrics', { method: 'POST' })).status).toBe(405);
  });

  (existsSync(PROMETHEUS) ? test : test.skip)(
    'is scraped by a real Prometheus, and each metric can be queried there',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'flotilla-prometheus-'));
      const jobs = Object.entries(urls).map(
        ([app, url]) => `  - job_name: ${app}\n    static_configs: [{ targets: ['${new URL(url).host}'] }]\n`,
      );
      const config = join(folder, 'prometheus.yml');
      await writeFile(config, `global: { scrape_interval: 1s }\nscrape_configs:\n${jobs.join('')}`);
      const port = await freePort();
      const prometheus = spawn(
        PROMETHEUS,
        [
          `--config.file=${config}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
        ],
        { stdio: 'ignore' },
      );
      try {
        const query = async (text: string): Promise<unknown[]> => {
          const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`);
          return ((await answer.json()) as { data: { result: unknown[] } }).data.result;
        };
        const isScraped = async () => (await query('up == 1')).length === 3;
        await eventually(() => isScraped().catch(() => false), { timeoutMs: 40_000 });
        for (const [name, { kind }] of Object.entries<MetricDefinition>(METRICS)) {
          const shown =
            kind === 'histogram' ? `${name}_count` : kind === 'counter' ? `${name.replace(/_total$/, '')}_total` : name;
          expect([shown, (await query(shown)).length > 0]).toEqual([shown, true]);
        }
      } finally {
        prometheus.kill('SIGKILL');
        await rm(folder, { recursive: true, force: true });
      }
    },
    90_000,
  );
});

test('a worker beyond loopback without a token does not start', async () => {
  const worker = await spawnNode(join(root, 'apps/worker/src/main.ts'), [], {
    cwd: root,
    env: { REDIS_URL: fleet.redisUrl, FLOTILLA_METRICS_PORT: '0', FLOTILLA_METRICS_HOST: '0.0.0.0' },
  });
  expect(await worker.exited).toMatchObject({ code: 2 });
  expect(worker.lines.join('\n')).toContain('FLOTILLA_METRICS_TOKEN is needed');
});
