import { Agent, request } from 'node:http';
import type { RunView } from '@flotilla/contracts';
import { ownModule, programFile, type StartedProcess, spawnNode } from '@flotilla/local-fleet';
import { connectRedis, type RedisClient } from '@flotilla/redis';
import { partitionTag, stateKey } from '@flotilla/state';
import { definitionOf, type Graph, workflowName } from './graphs.ts';
import { type Target, type TargetOptions, until, WorkerGroup } from './target.ts';

export const NAMESPACE = 'bench';
const PARTITIONS = 8;
const BATCH = 500;
const CHECKED_RUNS = 500;
const START_MS = 60_000;

export async function startFlotilla(options: TargetOptions): Promise<Target> {
  const { redis, nodeArgs } = options;
  const env = {
    REDIS_URL: redis.url,
    FLOTILLA_HOST: '127.0.0.1',
    FLOTILLA_PORT: '0',
    FLOTILLA_API_KEYS: '',
    FLOTILLA_NAMESPACE: NAMESPACE,
    FLOTILLA_PARTITIONS: String(PARTITIONS),
    FLOTILLA_HANDLERS: ownModule('../programs/bench-handlers', import.meta.url),
    FLOTILLA_QUEUES: 'default',
    FLOTILLA_CONCURRENCY: String(options.slots),
  };
  const scheduler = await spawnNode(programFile('scheduler'), [], { env, nodeArgs });
  const [line] = await scheduler.waitForLine(/^.*"msg":"ready".*$/, START_MS);
  const { url } = JSON.parse(line) as { url: string };
  const workers = new WorkerGroup(programFile('worker'), /"msg":"ready"/, options, env);
  await workers.set(options.workers);
  const { client } = connectRedis(redis.url, 'commands');
  return new FlotillaTarget(url, scheduler, workers, client);
}

class FlotillaTarget implements Target {
  readonly name = 'flotilla';
  readonly #api: Api;
  readonly #scheduler: StartedProcess;
  readonly #workers: WorkerGroup;
  readonly #client: RedisClient;
  readonly #registered = new Set<string>();

  constructor(url: string, scheduler: StartedProcess, workers: WorkerGroup, client: RedisClient) {
    this.#api = new Api(url);
    this.#scheduler = scheduler;
    this.#workers = workers;
    this.#client = client;
  }

  processes() {
    return [{ role: 'scheduler' as const, pid: this.#scheduler.pid }, ...this.#workers.processes()];
  }

  async prepare(graph: Graph): Promise<void> {
    const name = workflowName(graph);
    if (this.#registered.has(name)) return;
    await this.#api.send('POST', '/v1/workflows', definitionOf(graph));
    this.#registered.add(name);
  }

  async submit(graph: Graph, runs: number): Promise<void> {
    const workflow = workflowName(graph);
    const batches: Promise<unknown>[] = [];
    for (let first = 0; first < runs; first += BATCH) {
      const size = Math.min(BATCH, runs - first);
      const body = { runs: Array.from({ length: size }, () => ({ workflow })) };
      batches.push(this.#api.send('POST', '/v1/runs/batch', body));
    }
    await Promise.all(batches);
  }

  async submitOne(graph: Graph): Promise<void> {
    await this.#api.send('POST', '/v1/runs', { workflow: workflowName(graph) });
  }

  async run(graph: Graph, runs: number): Promise<void> {
    await this.submit(graph, runs);
    await this.#ended(5);
  }

  async runOne(graph: Graph): Promise<void> {
    await this.submitOne(graph);
    await this.#ended(0);
  }

  async settle(): Promise<void> {
    await until(async () => (await this.#count('outbox')) === 0, 20, 'the outbox to empty');
  }

  async check(): Promise<void> {
    // The latest, without a filter: one would make the scheduler read every run there is.
    const { runs } = (await this.#api.send('GET', `/v1/runs?limit=${CHECKED_RUNS}`)) as { runs: RunView[] };
    const bad = runs.find(({ status }) => status === 'failed' || status === 'cancelled' || status === 'timed-out');
    if (bad !== undefined) throw new Error(`a run of the benchmark did not succeed: ${JSON.stringify(bad)}`);
  }

  setWorkers(count: number): Promise<void> {
    return this.#workers.set(count);
  }

  async stop(): Promise<void> {
    await this.#workers.set(0);
    await this.#scheduler.stop();
    this.#api.close();
    this.#client.disconnect();
  }

  #ended(pollMs: number): Promise<void> {
    return until(async () => (await this.#count('active')) === 0, pollMs, 'the runs of Flotilla to end');
  }

  async #count(what: 'active' | 'outbox'): Promise<number> {
    const counts = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, partition) => {
        const tag = partitionTag(NAMESPACE, partition);
        if (what === 'outbox') return this.#client.xlen(stateKey(tag, what));
        return this.#countOpen(tag);
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #countOpen(tag: string): Promise<number> {
    const [all, ended] = await Promise.all(
      (['runs', 'ended'] as const).map((suffix) => this.#client.zcard(stateKey(tag, suffix))),
    );
    return (all ?? 0) - (ended ?? 0);
  }
}

/** Requests on connections that are kept: `fetch` costs this process more than the answer costs the scheduler. */
class Api {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(url: string) {
    this.#url = url;
  }

  send(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const sent = request(this.#url + path, { method, agent: this.#agent, ...(text === '' ? {} : { headers }) });
      sent.once('error', reject);
      sent.once('response', (response) => {
        let answer = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          answer += part;
        });
        response.once('error', reject);
        response.once('end', () => {
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(JSON.parse(answer));
          else reject(new Error(`${method} ${path}: ${status} ${answer.slice(0, 500)}`));
        });
      });
      sent.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
