import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import {
  type EffectRecorder,
  type ProcessEntry,
  processesOf,
  Recorder,
  recordCalls,
  startEffectRecorder,
} from '@flotilla/checker';
import {
  type Fleet,
  type FleetMember,
  freePort,
  type LocalRedis,
  ownModule,
  type ProcessExit,
  startChaosProxy,
  startFleet,
  startRedis,
} from '@flotilla/local-fleet';
import { queuePrefix } from '@flotilla/queue';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import type { Hold } from './fault-table.ts';
import { type Safeguard, withoutSafeguard } from './safeguards.ts';
import { Slot } from './slot.ts';

export interface SceneOptions {
  schedulers: number;
  workers: number;
  /** Where Redis keeps its data. Default: a temporary folder. */
  redisDir?: string;
  /** Switched off in all processes. */
  without?: Safeguard;
  /** For all processes, beside what the scene sets. */
  env?: Readonly<Record<string, string>>;
  /** Options for node itself in all processes. */
  nodeArgs?: readonly string[];
  /** The module with the workers' handlers. Default: those that the faults need. */
  handlers?: string;
  /** Told what happens, a line each. */
  tell: (line: string) => void;
}

interface SelfEnd {
  member: FleetMember;
  exit: ProcessExit;
}

/** An end of a process by itself that a fault means to bring about. */
interface AwaitedEnd {
  slot: Slot;
  seen: (end: SelfEnd) => void;
}

const NAMESPACE = 'chaos';
/** Between two calls that test whether a dependency is back. */
export const PROBE_INTERVAL_MS = 2000;
const HANDLERS = ownModule('../handlers/chaos-handlers', import.meta.url);
/** Most of what the driver asks of the machine are starts of processes: this halves them. */
const KEEP_COMPILED = pathToFileURL(ownModule('../preload/keep-compiled', import.meta.url)).href;
const FREE_SLOT_MS = 120_000;

/** A fleet of real processes, each behind its own proxy to its own Redis, and everything that is recorded of it. */
export class Scene {
  readonly namespace = NAMESPACE;
  readonly recorder = new Recorder();
  readonly workers: Slot[] = [];
  readonly schedulers: Slot[] = [];
  /** For files that steps and processes of this scene share. */
  readonly folder: string;
  readonly redis: LocalRedis;
  readonly tell: (line: string) => void;
  #fleet: Fleet | undefined;
  #effects: EffectRecorder | undefined;
  #admin: RedisConnection | undefined;
  readonly #awaited: AwaitedEnd[] = [];
  readonly #plannedEnds = new Map<string, ProcessExit>();

  readonly #handlers: string;

  private constructor(redis: LocalRedis, folder: string, { tell, handlers = HANDLERS }: SceneOptions) {
    this.redis = redis;
    this.folder = folder;
    this.tell = tell;
    this.#handlers = handlers;
  }

  static async start(options: SceneOptions): Promise<Scene> {
    const { redisDir } = options;
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
    const redis = await startRedis({
      ...(redisDir === undefined ? {} : { dir: redisDir }),
      args: ['--auto-aof-rewrite-min-size', '16mb'],
    });
    const scene = new Scene(redis, folder, options);
    try {
      await scene.#open(options);
      return scene;
    } catch (error) {
      await scene.stop();
      throw error;
    }
  }

  get fleet(): Fleet {
    if (this.#fleet === undefined) throw new Error('the fleet has not been started');
    return this.#fleet;
  }

  /** A connection of the driver's own, past all proxies. */
  get admin(): RedisConnection['client'] {
    if (this.#admin === undefined) throw new Error('the scene is not open');
    return this.#admin.client;
  }

  get taskQueues(): string[] {
    return ['default', ...this.workers.map(({ index }) => queueOf(index))];
  }

  /** The prefixes of all keys of BullMQ. */
  get queuePrefixes(): string[] {
    return this.taskQueues.map((queue) => queuePrefix(this.namespace, queue));
  }

  /** Whether a fault that takes hold of this would find it: not where a slow machine is still busy with those before it. */
  isFree(hold: Hold): boolean {
    if (hold === 'worker') return this.#freeWorkers().length > Math.min(1, this.workers.length - 1);
    return hold !== 'schedulers' || this.schedulers.some(({ isUp }) => isUp);
  }

  /**
   * Gives a worker to a fault until `release`: the one meant, or another when that is not to be had; never the last one
   * that works. Rejects when none becomes free in time.
   */
  async holdWorker(preferred: number): Promise<{ slot: Slot; member: FleetMember; release: () => void }> {
    const endsAt = performance.now() + FREE_SLOT_MS;
    for (;;) {
      const free = this.#freeWorkers();
      const slot = free.find(({ index }) => index === preferred) ?? free[0];
      if (slot?.member !== undefined && this.isFree('worker')) {
        slot.isHeld = true;
        return {
          slot,
          member: slot.member,
          release: () => {
            slot.isHeld = false;
          },
        };
      }
      if (performance.now() > endsAt) throw new Error(`no worker was free for ${FREE_SLOT_MS} ms`);
      await pause(50);
    }
  }

  /** To be called before what makes a worker end by itself: its end is then one that was planned. */
  awaitSelfEnd(slot: Slot, timeoutMs: number): Promise<SelfEnd | undefined> {
    return new Promise((resolve) => {
      const awaited: AwaitedEnd = {
        slot,
        seen: (end) => {
          clearTimeout(timer);
          resolve(end);
        },
      };
      const timer = setTimeout(() => {
        this.#awaited.splice(this.#awaited.indexOf(awaited), 1);
        resolve(undefined);
      }, timeoutMs);
      this.#awaited.push(awaited);
    });
  }

  /** All processes there were. Those that a fault made end by itself count as planned, with what they complained of. */
  processes(): ProcessEntry[] {
    return processesOf(this.fleet).map((entry) => {
      const planned = this.#plannedEnds.get(entry.id);
      if (planned === undefined) return entry;
      const { code, signal } = planned;
      return {
        ...entry,
        complaints: [],
        planned: { ...(signal === null ? {} : { signal }), ...(code === null ? {} : { codes: [code] }) },
      };
    });
  }

  /** Waits until every slot has a process that is ready; false when one has none in time. */
  async untilUp(timeoutMs: number): Promise<boolean> {
    const endsAt = performance.now() + timeoutMs;
    while (![...this.workers, ...this.schedulers].every(({ isUp }) => isUp)) {
      if (performance.now() > endsAt) return false;
      await pause(50);
    }
    return true;
  }

  async stop(): Promise<void> {
    const slots = [...this.workers, ...this.schedulers];
    for (const slot of slots) slot.close();
    await this.#fleet?.stop();
    await Promise.all(slots.map(({ proxy }) => proxy.stop()));
    if (this.#admin !== undefined) await closeConnection(this.#admin);
    await this.#effects?.close();
    await this.redis.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #open({ schedulers, workers, env, nodeArgs = [], without }: SceneOptions): Promise<void> {
    this.#admin = connectRedis(this.redis.url, 'commands', { name: 'chaos' });
    // Errors are the point; whoever makes a call sees its own.
    await untilReady(this.#admin, 10_000);
    this.#effects = await startEffectRecorder((report) => this.recorder.add('effects', report));
    const altered = without === undefined ? { env: {}, nodeArgs: [] } : withoutSafeguard(without);
    this.#fleet = await startFleet({
      redis: this.redis,
      namespace: NAMESPACE,
      schedulers: 0,
      workers: 0,
      env: { ...altered.env, ...env, NODE_COMPILE_CACHE: join(this.folder, 'compiled') },
      nodeArgs: ['--import', KEEP_COMPILED, ...altered.nodeArgs, ...nodeArgs],
      fetch: recordCalls((call) => this.recorder.add('calls', call)),
    });
    const made = [
      ...(await Promise.all(Array.from({ length: schedulers }, (_, index) => this.#addScheduler(index)))),
      ...(await Promise.all(Array.from({ length: workers }, (_, index) => this.#addWorker(index)))),
    ];
    await Promise.all(made.map((slot) => slot.start()));
    await this.fleet.waitForWorkers(workers, 20_000);
  }

  async #addScheduler(index: number): Promise<Slot> {
    const proxy = await startChaosProxy(this.redis.url);
    const env = { REDIS_URL: proxy.url, FLOTILLA_PORT: String(await freePort()) };
    const slot = new Slot({
      index,
      proxy,
      launch: (own) => this.fleet.addScheduler({ ...env, ...own }),
      onSelfEnd: this.#onSelfEnd,
    });
    this.schedulers.push(slot);
    return slot;
  }

  async #addWorker(index: number): Promise<Slot> {
    const proxy = await startChaosProxy(this.redis.url);
    const env = {
      REDIS_URL: proxy.url,
      FLOTILLA_HANDLERS: this.#handlers,
      FLOTILLA_CONCURRENCY: '16',
      // A queue that this worker alone serves, for steps that are to hit it and no other.
      FLOTILLA_QUEUES: `default,${queueOf(index)}`,
      FLOTILLA_EFFECTS_URL: this.#effects!.url,
      // Dependencies of faults are on loopback.
      FLOTILLA_HTTP_ALLOW: '127.0.0.1',
      FLOTILLA_BREAKER_PROBE_INTERVAL_MS: String(PROBE_INTERVAL_MS),
    };
    const slot = new Slot({
      index,
      proxy,
      launch: (own) => this.fleet.addWorker({ ...env, ...own }),
      onSelfEnd: this.#onSelfEnd,
    });
    this.workers[index] = slot;
    return slot;
  }

  #freeWorkers(): Slot[] {
    return this.workers.filter((slot) => slot.isUp && !slot.isHeld);
  }

  readonly #onSelfEnd = (slot: Slot, member: FleetMember, exit: ProcessExit): void => {
    const index = this.#awaited.findIndex((awaited) => awaited.slot === slot);
    if (index < 0) {
      this.tell(`${member.id} ended by itself (${exit.signal ?? `code ${exit.code}`}), which nothing explains`);
      return;
    }
    this.#plannedEnds.set(member.id, exit);
    this.#awaited.splice(index, 1)[0]?.seen({ member, exit });
  };
}

/** The task queue that only the worker in this slot serves. */
export function queueOf(slot: number): string {
  return `slot-${slot}`;
}
