import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Fleet, freePort, type StartedProcess, spawnNode, startFleet, testNamespace } from '@flotilla/testing';
import { ALL } from './definitions.ts';

const root = resolve(import.meta.dirname, '../..');

/** A real fleet with a dashboard in front of it, each a process of its own. */
export class DashboardFleet {
  readonly fleet: Fleet;
  /** Of the dashboard. */
  url: string;
  readonly #folder: string;
  readonly #environment: Record<string, string>;
  #dashboard: StartedProcess;

  private constructor(
    fleet: Fleet,
    dashboard: StartedProcess,
    url: string,
    folder: string,
    environment: Record<string, string>,
  ) {
    this.fleet = fleet;
    this.url = url;
    this.#dashboard = dashboard;
    this.#folder = folder;
    this.#environment = environment;
  }

  /** `key`: what requests of the tests themselves are made with, where the scheduler asks for one. */
  static async start(from: string, schedulerEnv: Record<string, string> = {}, key?: string): Promise<DashboardFleet> {
    const namespace = testNamespace(from);
    const handlers = join(import.meta.dirname, 'fixtures/handlers.ts');
    const authorized: typeof fetch = (input, init) =>
      fetch(input, {
        ...init,
        headers: { ...(init?.headers as Record<string, string>), authorization: `Bearer ${key}` },
      });
    const fleet = await startFleet({
      ...{ namespace, schedulerEnv, workerEnv: { FLOTILLA_HANDLERS: handlers } },
      ...(key === undefined ? {} : { fetch: authorized }),
    });
    const port = await freePort();
    const environment = {
      REDIS_URL: fleet.redisUrl,
      FLOTILLA_NAMESPACE: namespace,
      FLOTILLA_URL: fleet.url,
      FLOTILLA_DASHBOARD_PORT: String(port),
    };
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-e2e-'));
    const dashboard = await startDashboard(environment);
    return new DashboardFleet(fleet, dashboard, `http://127.0.0.1:${port}/`, folder, environment);
  }

  async registerAll(): Promise<void> {
    for (const definition of ALL) await this.post('/v1/workflows', { definition });
  }

  async post<Body = { runId: string }>(path: string, body: unknown): Promise<Body> {
    const answer = await this.fleet.api.request<Body>('POST', path, body);
    if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async run(workflow: string, input: object = {}, tags: string[] = []): Promise<string> {
    return (await this.post('/v1/runs', { workflow, input, tags })).runId;
  }

  async untilEnded(runId: string, timeoutMs = 30_000): Promise<void> {
    await this.fleet.api.waitForEnd([runId], { timeoutMs });
  }

  /** A file that a gate of a run waits for; write into it to open the gate. */
  async gateFile(name: string): Promise<string> {
    const path = join(this.#folder, name);
    await writeFile(path, '');
    return path;
  }

  async restartDashboard(): Promise<void> {
    this.#dashboard.signal('SIGKILL');
    await this.#dashboard.exited;
    this.#dashboard = await startDashboard(this.#environment);
  }

  async stop(): Promise<void> {
    this.#dashboard.signal('SIGKILL');
    await this.fleet.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function startDashboard(env: Record<string, string>): Promise<StartedProcess> {
  const dashboard = await spawnNode(join(root, 'apps/dashboard/src/main.ts'), [], { cwd: root, env });
  await dashboard.waitForLine(/"msg":"ready"/, 60_000);
  return dashboard;
}
