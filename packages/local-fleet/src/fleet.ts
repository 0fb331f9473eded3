import type { ProcessExit, StartedProcess } from './child-process.ts';
import { eventually } from './eventually.ts';
import { FleetApi } from './fleet-api.ts';
import { freePort } from './free-port.ts';
import { programFile } from './own-module.ts';
import { spawnNode } from './spawn-node.ts';

type Environment = Record<string, string | undefined>;

export interface FleetOptions {
  redis: { readonly url: string };
  /** Of this fleet's own. */
  namespace: string;
  /** Default 1. */
  schedulers?: number;
  /** Default 1. */
  workers?: number;
  /** For all processes. */
  env?: Environment;
  schedulerEnv?: Environment;
  workerEnv?: Environment;
  /** Options for node itself, such as `--import` of a hook. */
  nodeArgs?: readonly string[];
  /** What `api` makes its requests with, such as that of `recordCalls`. Default: the global one. */
  fetch?: typeof globalThis.fetch;
}

/** A scheduler or worker process of a fleet. */
export interface FleetMember {
  readonly kind: 'scheduler' | 'worker';
  /** `s-…` or `w-…`, as logs, agents and history name it. */
  readonly id: string;
  /** Of a scheduler: where its API listens. */
  readonly url: string | undefined;
  readonly process: StartedProcess;
  /** Wall clock when it was killed, stopped or paused by the test. */
  readonly endedAt: number | undefined;
  readonly pausedAt: number | undefined;
  readonly startedAt: number;
  /** The signal that the test ended it with. */
  readonly plannedEnd: 'SIGKILL' | 'SIGTERM' | undefined;
  /** How and when it ended. */
  readonly exit: (ProcessExit & { at: number }) | undefined;
  kill9(): Promise<void>;
  /** SIGTERM; SIGKILL after `graceMs` (default 30000). */
  terminate(graceMs?: number): Promise<ProcessExit & { tookMs: number }>;
  /** SIGSTOP. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

export interface Fleet {
  readonly namespace: string;
  readonly redisUrl: string;
  readonly api: FleetApi;
  /** URL of the first scheduler that runs. */
  readonly url: string;
  /** Those that run, in the order in which they were started. */
  readonly schedulers: readonly FleetMember[];
  readonly workers: readonly FleetMember[];
  /** All there ever were. */
  readonly members: readonly FleetMember[];
  addScheduler(env?: Environment): Promise<FleetMember>;
  addWorker(env?: Environment): Promise<FleetMember>;
  /** Starts another process in the place of one that has ended; a scheduler listens on the same port again. */
  replace(member: FleetMember): Promise<FleetMember>;
  /** Waits until `/v1/agents` shows this many healthy workers. */
  waitForWorkers(count: number, timeoutMs?: number): Promise<void>;
  /** Processes that ended although no test ended them, with their last lines: there should be none. */
  unexpectedEnds(): readonly string[];
  /** Kills all that is left. Safe to call twice. */
  stop(): Promise<void>;
}

/** Most of a second of processor time; on a busy machine that takes long. */
const READY_MS = 60_000;

/** Starts schedulers and workers as processes of their own and waits until they are ready. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { namespace, schedulers = 1, workers = 1 } = options;
  const redisUrl = options.redis.url;
  const members: Member[] = [];
  const running = (kind: FleetMember['kind']) =>
    members.filter((member) => member.kind === kind && member.process.running() && member.endedAt === undefined);
  const add = async (kind: FleetMember['kind'], env: Environment = {}): Promise<Member> => {
    const own = kind === 'scheduler' ? options.schedulerEnv : options.workerEnv;
    const member = await startMember(
      kind,
      { ...CLEAN, REDIS_URL: redisUrl, FLOTILLA_NAMESPACE: namespace, ...options.env, ...own, ...env },
      options.nodeArgs ?? [],
    );
    members.push(member);
    return member;
  };
  const fleet: Fleet = {
    namespace,
    redisUrl,
    api: new FleetApi(() => running('scheduler').map(({ url }) => url!), options.fetch),
    get url() {
      const [first] = running('scheduler');
      if (first?.url === undefined) throw new Error('no scheduler of the fleet runs');
      return first.url;
    },
    get schedulers() {
      return running('scheduler');
    },
    get workers() {
      return running('worker');
    },
    members,
    addScheduler: (env) => add('scheduler', env),
    addWorker: (env) => add('worker', env),
    replace: ({ kind, url }) => add(kind, url === undefined ? {} : { FLOTILLA_PORT: new URL(url).port }),
    waitForWorkers: async (count, timeoutMs = 10_000) => {
      const enough = async () =>
        (await fleet.api.agents()).filter(({ status }) => status === 'healthy').length >= count;
      await eventually(enough, { timeoutMs, intervalMs: 50, message: `${count} healthy workers` });
    },
    unexpectedEnds: () =>
      members
        .filter(({ process, endedAt }) => !process.running() && endedAt === undefined)
        .map(({ id, process }) => `${id} ended by itself:\n${process.lines.slice(-10).join('\n')}`),
    stop: async () => {
      await Promise.all(members.map((member) => member.kill9()));
    },
  };
  try {
    // Side by side: starting takes most of a second of processor time each.
    await Promise.all([
      ...Array.from({ length: schedulers }, async () => add('scheduler', { FLOTILLA_PORT: String(await freePort()) })),
      ...Array.from({ length: workers }, () => add('worker')),
    ]);
    if (schedulers > 0) await fleet.waitForWorkers(workers);
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

/** Settings of whoever runs the tests are not those of the fleet under test. */
const CLEAN: Environment = {
  FLOTILLA_HOST: undefined,
  FLOTILLA_PORT: '0',
  FLOTILLA_API_KEYS: undefined,
  FLOTILLA_PARTITIONS: undefined,
  FLOTILLA_ALLOW_VOLATILE: undefined,
  FLOTILLA_HANDLERS: undefined,
  FLOTILLA_QUEUES: undefined,
  FLOTILLA_CONCURRENCY: undefined,
  FLOTILLA_STORAGE_WATERMARKS: undefined,
  FLOTILLA_DRAIN_MS: undefined,
  FLOTILLA_FLAGS: undefined,
  FLOTILLA_LOG_LEVEL: undefined,
};

class Member implements FleetMember {
  readonly kind: FleetMember['kind'];
  readonly id: string;
  readonly url: string | undefined;
  readonly process: StartedProcess;
  endedAt: number | undefined;
  pausedAt: number | undefined;
  readonly startedAt = Date.now();
  plannedEnd: 'SIGKILL' | 'SIGTERM' | undefined;
  exit: (ProcessExit & { at: number }) | undefined;

  constructor(kind: FleetMember['kind'], ready: Ready, process: StartedProcess) {
    this.kind = kind;
    this.id = ready.workerId ?? ready.schedulerId ?? '';
    this.url = ready.url;
    this.process = process;
    process.exited.then((exit) => {
      this.exit = { ...exit, at: Date.now() };
    });
  }

  async kill9(): Promise<void> {
    this.endedAt ??= Date.now();
    if (this.process.running()) this.plannedEnd = 'SIGKILL';
    await this.process.kill9();
  }

  async terminate(graceMs = 30_000): Promise<ProcessExit & { tookMs: number }> {
    const startedAt = performance.now();
    this.endedAt ??= Date.now();
    if (this.process.running()) this.plannedEnd ??= 'SIGTERM';
    const exit = await this.process.stop(graceMs);
    return { ...exit, tookMs: performance.now() - startedAt };
  }

  pause(): void {
    this.pausedAt = Date.now();
    this.process.pause();
  }

  resume(): void {
    this.process.resume();
  }
}

interface Ready {
  url?: string;
  schedulerId?: string;
  workerId?: string;
}

async function startMember(kind: FleetMember['kind'], env: Environment, nodeArgs: readonly string[]): Promise<Member> {
  const process = await startProgram(kind, env, nodeArgs);
  try {
    const { input = '' } = await process.waitForLine(/^\{.*"msg":"ready"/, READY_MS);
    return new Member(kind, JSON.parse(input) as Ready, process);
  } catch (error) {
    await process.kill9();
    throw error;
  }
}

/** Starts the scheduler's or worker's program without waiting for it to be ready: for starts that must fail. */
export function startProgram(
  kind: FleetMember['kind'],
  env: Environment,
  nodeArgs: readonly string[] = [],
): Promise<StartedProcess> {
  return spawnNode(programFile(kind), [], { env: { ...CLEAN, ...env }, nodeArgs });
}
