import { randomBytes } from 'node:crypto';
import { Recorder, recordCalls } from '@flotilla/checker';
import { eventually, FleetApi } from '@flotilla/testing';
import { Network, type StartedNetwork } from 'testcontainers';
import { Contained } from './contained.ts';

export interface ContainerFleetOptions {
  /** Default 1. */
  schedulers?: number;
  workers: number;
  /** Attempts at once of each worker. Default 16. */
  concurrency?: number;
}

/** A container of a scheduler or worker. */
export interface Member {
  readonly kind: 'scheduler' | 'worker';
  /** As logs, agents and histories name it. */
  readonly id: string;
  readonly container: Contained;
}

const READY = /"msg":"ready"/;
const SCHEDULER_PORT = 7070;
const REDIS_PORT = 6379;
const THERE: ReadonlySet<string> = new Set(['healthy', 'probation', 'unhealthy']);
const REACHED_MS = 60_000;

/** Redis, schedulers and workers in containers, on a network that no other container is on. */
export class ContainerFleet {
  readonly namespace = 'fl';
  /** What the checker looks at later: calls are in it already. */
  readonly recorder = new Recorder();
  readonly redis: Contained;
  readonly api: FleetApi;
  readonly members: Member[] = [];
  /** Worker id -> wall clock: what `findRecoveries` and `findUnjustLosses` ask for. */
  readonly diedAt = new Map<string, number>();
  readonly pausedAt = new Map<string, number>();
  readonly #key = randomBytes(24).toString('hex');
  readonly #network: StartedNetwork;
  readonly #concurrency: number;
  readonly #urls = new Map<Member, string>();

  private constructor(network: StartedNetwork, redis: Contained, concurrency: number) {
    this.#network = network;
    this.redis = redis;
    this.#concurrency = concurrency;
    const authorized: typeof fetch = (input, init) =>
      fetch(input, { ...init, headers: { ...init?.headers, authorization: `Bearer ${this.#key}` } });
    this.api = new FleetApi(
      () => [...this.#urls.values()],
      recordCalls((call) => this.recorder.add('calls', call), authorized),
    );
  }

  static async start({ schedulers = 1, workers, concurrency = 16 }: ContainerFleetOptions): Promise<ContainerFleet> {
    const network = await new Network().start();
    const redis = await Contained.start({
      image: 'redis',
      network,
      alias: 'redis',
      port: REDIS_PORT,
      readyLine: /Ready to accept connections/,
    });
    const fleet = new ContainerFleet(network, redis, concurrency);
    try {
      await Promise.all([
        ...Array.from({ length: schedulers }, () => fleet.add('scheduler')),
        ...Array.from({ length: workers }, () => fleet.add('worker')),
      ]);
      await fleet.waitForWorkers(workers);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get network(): StartedNetwork {
    return this.#network;
  }

  get workers(): readonly Member[] {
    return this.members.filter(({ kind }) => kind === 'worker');
  }

  get schedulers(): readonly Member[] {
    return this.members.filter(({ kind }) => kind === 'scheduler');
  }

  /** Where the tests reach its Redis. */
  async redisUrl(): Promise<string> {
    return `redis://127.0.0.1:${await this.redis.publishedPort()}`;
  }

  async add(kind: Member['kind']): Promise<Member> {
    const own: Record<string, string> =
      kind === 'scheduler'
        ? { FLOTILLA_API_KEYS: this.#key }
        : { FLOTILLA_CONCURRENCY: String(this.#concurrency), FLOTILLA_DRAIN_MS: '10000' };
    const container = await Contained.start({
      image: kind,
      network: this.#network,
      env: { REDIS_URL: `redis://redis:${REDIS_PORT}`, ...own },
      readyLine: READY,
      ...(kind === 'scheduler' && { port: SCHEDULER_PORT }),
    });
    const ready = await eventually(() => container.lines.find((line) => READY.test(line)), {
      timeoutMs: 10_000,
      message: 'the line that says ready',
    });
    const { workerId, schedulerId } = JSON.parse(ready) as { workerId?: string; schedulerId?: string };
    const member: Member = { kind, id: workerId ?? schedulerId ?? '', container };
    this.members.push(member);
    if (kind === 'scheduler') this.#urls.set(member, `http://127.0.0.1:${await container.publishedPort()}`);
    return member;
  }

  /** Kills a member; its container is gone then. */
  async kill(member: Member): Promise<void> {
    this.#forget(member);
    if (member.kind === 'worker') this.diedAt.set(member.id, Date.now());
    await member.container.kill();
    await member.container.remove();
  }

  /** Ends a member in order and gives its exit code. */
  async terminate(member: Member): Promise<number> {
    this.#forget(member);
    const code = await member.container.terminate();
    await member.container.remove();
    return code;
  }

  /**
   * Waits until this many workers, and no others, are there. How they are judged is another matter: steps of the load fail on
   * purpose, and a worker that has met some in a row proves itself only with the next work.
   */
  async waitForWorkers(count: number): Promise<void> {
    const enough = async () => {
      const agents = await this.api.agents();
      if (agents.filter(({ status }) => THERE.has(status)).length === count) return true;
      throw new Error(agents.map(({ agentId, status }) => `${agentId} ${status}`).join(', '));
    };
    await eventually(enough, { timeoutMs: REACHED_MS, intervalMs: 100, message: `${count} workers` });
  }

  /** Waits until Redis cannot be used, and so proves that it was hit. */
  async waitForNoRedis(): Promise<void> {
    const away = async () => (await this.#readiness()) !== 200;
    await eventually(away, { timeoutMs: REACHED_MS, intervalMs: 100, message: 'a scheduler to miss Redis' });
  }

  async waitForRedis(): Promise<void> {
    const back = async () => (await this.#readiness()) === 200;
    await eventually(back, { timeoutMs: REACHED_MS, intervalMs: 100, message: 'a scheduler to reach Redis again' });
  }

  /** Containers that are not running although no test ended them, with their last lines. */
  async unexpectedEnds(): Promise<string[]> {
    const ends = await Promise.all(
      this.members.map(async ({ id, container }) => {
        const { Running, ExitCode } = (await container.inspect()).State;
        return Running ? [] : [`${id} ended with ${ExitCode}:\n${container.lines.slice(-10).join('\n')}`];
      }),
    );
    return ends.flat();
  }

  /** Removes everything. Safe to call twice. */
  async stop(): Promise<void> {
    await Promise.all([...this.members.map(({ container }) => container), this.redis].map((one) => one.remove()));
    this.members.length = 0;
    await this.#network.stop();
  }

  /** What `/readyz` answers; undefined: nothing. */
  async #readiness(): Promise<number | undefined> {
    const options = { repeat: false, timeoutMs: 3000 };
    return this.api.request('GET', '/readyz', undefined, options).then(
      ({ status }) => status,
      () => undefined,
    );
  }

  #forget(member: Member): void {
    this.members.splice(this.members.indexOf(member), 1);
    this.#urls.delete(member);
  }
}
