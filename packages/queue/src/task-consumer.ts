import { randomUUID } from 'node:crypto';
import type { RedisClient } from '@flotilla/redis';
import { type Job, Worker } from 'bullmq';
import { queueListKey, queuePrefix } from './queue-names.ts';
import type { Task, TaskOutcome } from './task.ts';

export interface TaskConsumerOptions {
  client: RedisClient;
  namespace: string;
  queue: string;
  /** Resolves when a task may be fetched; told how many steps the one before had. */
  whenRoom: (steps: number) => Promise<void>;
  /** Slots that nobody waits for. */
  free: () => number;
  /**
   * Runs a task's steps. Must take its slots synchronously, before it first awaits, so that the loop sees them taken.
   * Never rejects for a step's failure: those are state, not the queue's business.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: whoever has nothing to tell of a task need not say so
  handle: (task: Task) => Promise<TaskOutcome | void>;
  /** Called each time the loop comes around: a worker's heartbeat is given from here. */
  onTurn: () => void;
  onError: (error: Error) => void;
  /** Told when the oldest step of a fetched task was ready, ms by Redis' clock. */
  onFetch?: (readyAt: number) => void;
  /** What of a task runs now, for the Bull dashboard; asked about tasks that take longer than a second. */
  describe: (task: Task) => string[];
  /** Tasks wait, slots are free, and even fresh connections fetch nothing, or the loop hangs: the process should end. */
  onStuck: () => void;
  /** How long nothing may move before connections are made anew. Default 15,000; at least 2500. */
  stuckMs?: number;
}

/** BullMQ's lock is only a hint of ours (leases are in state), so it is long and renewed seldom. */
const LOCK_DURATION_MS = 60_000;
const LOCK_RENEWAL_MS = 20_000;
/** Longest block for a task: the loop comes around at least this often. */
const BLOCK_SECONDS = 1;
const AFTER_ERROR_MS = 250;
/** Tasks that are fetched side by side while many slots are free: one after the other, thousands would take seconds. */
const MOST_FETCHES = 8;
const PROGRESS_MS = 1000;
/** Most jobs whose progress is told in one go. */
const MOST_PROGRESS = 100;
const STUCK_CHECK_MS = 2500;
/** Nothing was fetched for this long although tasks wait and slots are free: the connection is dead without knowing. */
const STUCK_MS = 15_000;
/** A fetch that has not returned so long after the end of all taking is not waited for. */
const STOP_MS = 3 * BLOCK_SECONDS * 1000;
const MOST_REBUILDS = 2;

/**
 * Takes tasks from one queue by hand instead of by BullMQ's own loop: a task is fetched only when a slot is free or about to
 * be, so a worker holds no step for longer than a moment that it cannot start.
 */
export class TaskConsumer {
  readonly #options: TaskConsumerOptions;
  #worker: Worker<Task>;
  readonly #active = new Map<string, ActiveTask>();
  /** Of the fetches under way: ends the wait for one. */
  readonly #giveUps = new Set<() => void>();
  #stopping = false;
  #loop: Promise<void> | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #fetching = false;
  /** Of the task that was fetched last; of several fetched side by side, of the largest. */
  #steps = 1;
  /** Times that the loop has come around. */
  #turns = 0;
  #turnsAtCheck = -1;
  /** Checks in a row that Redis answered at once and between which the loop did not come around. */
  #hungChecks = 0;
  /** Monotonic: when a task was last fetched, or none waited, or no slot was free. */
  #movedAt = performance.now();
  #rebuilds = 0;
  #wake: (() => void) | undefined;
  /** What has been asked for and not been used yet. */
  #room: { isAvailable: boolean } | undefined;

  constructor(options: TaskConsumerOptions) {
    this.#options = options;
    this.#worker = this.#createWorker();
  }

  start(): void {
    this.#loop ??= this.#run();
    const every = (ms: number, duty: () => Promise<void>) => {
      const run = () => void duty().catch(this.#options.onError);
      this.#timers.push(setInterval(run, ms).unref());
    };
    every(LOCK_RENEWAL_MS, () => this.#renewLocks());
    every(PROGRESS_MS, () => this.#tellProgress());
    every(STUCK_CHECK_MS, () => this.#checkStuck());
    // Tasks of dead workers go back to the queue: their steps are claimed long since, so they end as empty hints.
    void this.#worker.startStalledCheckTimer().catch(this.#options.onError);
    const { client, namespace, queue, onError } = this.#options;
    client.sadd(queueListKey(namespace), queue).catch(onError);
  }

  /** Stops taking tasks; those in hand go on. Resolves when the loop has come to rest. */
  async stopTaking(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    const giveUp = setTimeout(() => this.#giveUpFetches(), STOP_MS);
    await this.#loop;
    clearTimeout(giveUp);
  }

  /** Waits for the tasks in hand, then closes. Call `stopTaking` first. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.allSettled([...this.#active.values()].map(({ done }) => done));
    await this.#worker.close(true);
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#tick();
      await this.#whenRoomOrStopping();
      if (this.#stopping) return;
      const token = randomUUID();
      try {
        this.#fetching = true;
        const job = await this.#fetch(token);
        if (job === undefined) continue;
        this.#movedAt = performance.now();
        this.#rebuilds = 0;
        this.#begin(job, token);
        await this.#fetchMore();
      } catch (error) {
        this.#options.onError(error as Error);
        await this.#pause(AFTER_ERROR_MS);
      } finally {
        this.#fetching = false;
      }
    }
  }

  /** As many as there are free slots for, if they are like the one before, and until no more wait. */
  async #fetchMore(): Promise<void> {
    while (!this.#stopping) {
      const wanted = Math.min(MOST_FETCHES, Math.floor(this.#options.free() / this.#steps));
      if (wanted < 2) return;
      this.#tick();
      const tokens = Array.from({ length: wanted }, () => randomUUID());
      const fetches = await Promise.allSettled(tokens.map((token) => this.#fetch(token, { block: false })));
      let failure: PromiseRejectedResult | undefined;
      let fetched = 0;
      let mostSteps = 1;
      fetches.forEach((fetch, index) => {
        if (fetch.status === 'rejected') failure ??= fetch;
        const job = fetch.status === 'fulfilled' ? fetch.value : undefined;
        if (job === undefined) return;
        fetched += 1;
        this.#begin(job, tokens[index]!);
        mostSteps = Math.max(mostSteps, this.#steps);
      });
      if (fetched > 0) {
        this.#steps = mostSteps;
        this.#movedAt = performance.now();
      }
      if (failure !== undefined) throw failure.reason;
      if (fetched < wanted) return;
    }
  }

  /**
   * The next job, or undefined when none came or the wait for it was given up: a call can be lost with a connection, and never
   * return. What it brings after all is begun then.
   */
  #fetch(token: string, options?: { block: boolean }): Promise<Job<Task> | undefined> {
    return new Promise((resolve, reject) => {
      let isGivenUp = false;
      const giveUp = () => {
        isGivenUp = true;
        resolve(undefined);
      };
      this.#giveUps.add(giveUp);
      const settle = (job: Job<Task> | undefined) => {
        this.#giveUps.delete(giveUp);
        if (isGivenUp && job !== undefined && !this.#stopping) this.#begin(job, token);
        resolve(job);
      };
      (this.#worker.getNextJob(token, options) as Promise<Job<Task> | undefined>).then(settle, (error: unknown) => {
        this.#giveUps.delete(giveUp);
        reject(error);
      });
    });
  }

  #giveUpFetches(): void {
    for (const giveUp of this.#giveUps) giveUp();
    this.#giveUps.clear();
  }

  #begin(job: Job<Task>, token: string): void {
    this.#options.onFetch?.(job.timestamp);
    this.#steps = Math.max(1, job.data.i.length);
    const done = this.#options
      .handle(job.data)
      .then((outcome) => endJob(job, token, outcome ?? undefined))
      .then(() => undefined, this.#options.onError)
      .finally(() => this.#active.delete(job.id!));
    this.#active.set(job.id!, { job, token, done, since: performance.now(), told: '' });
  }

  /** Room, or a short while: the loop must come around to give its heartbeat even when all slots are taken. */
  async #whenRoomOrStopping(): Promise<void> {
    for (;;) {
      // Asked once, not at each turn: who waits for hours would leave a reaction behind with every second.
      this.#room ??= this.#askForRoom();
      if (!this.#room.isAvailable) await this.#pause(BLOCK_SECONDS * 1000);
      if (this.#stopping) return;
      if (this.#room.isAvailable) {
        this.#room = undefined;
        return;
      }
      this.#tick();
    }
  }

  #askForRoom(): { isAvailable: boolean } {
    const room = { isAvailable: false };
    void this.#options.whenRoom(this.#steps).then(() => {
      room.isAvailable = true;
      this.#wake?.();
    });
    return room;
  }

  #tick(): void {
    this.#turns += 1;
    this.#options.onTurn();
  }

  /** Waits a while or until `#wake` is called. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #renewLocks(): Promise<void> {
    const jobs = [...this.#active.values()];
    if (jobs.length === 0) return;
    const ids = jobs.map(({ job }) => job.id!);
    const tokens = jobs.map(({ token }) => token);
    await this.#worker.extendJobLocks(ids, tokens, LOCK_DURATION_MS);
  }

  /** Names the steps that run in a job's progress: what the Bull dashboard shows of it. */
  async #tellProgress(): Promise<void> {
    const now = performance.now();
    const updates: Promise<void>[] = [];
    for (const active of this.#active.values()) {
      if (updates.length >= MOST_PROGRESS) break;
      if (now - active.since < PROGRESS_MS) continue;
      const steps = this.#options.describe(active.job.data);
      const text = steps.join(' ');
      if (text === active.told || steps.length === 0) continue;
      active.told = text;
      updates.push(active.job.updateProgress({ steps }));
    }
    await Promise.all(updates);
  }

  /**
   * A consumer can stand still while everything looks alive (a socket that died silently, a blocking call that never
   * returns, a loop that does not come around). Fresh connections first; when those do not help, the process had better end.
   */
  async #checkStuck(): Promise<void> {
    const { client, namespace, queue, onStuck } = this.#options;
    const askedAt = performance.now();
    const length = await client.llen(`${queuePrefix(namespace, queue)}:${queue}:wait`);
    const now = performance.now();
    const isHung = this.#turns === this.#turnsAtCheck && now - askedAt < BLOCK_SECONDS * 1000;
    this.#turnsAtCheck = this.#turns;
    this.#hungChecks = isHung ? this.#hungChecks + 1 : 0;
    const { stuckMs = STUCK_MS } = this.#options;
    const hangs = this.#hungChecks * STUCK_CHECK_MS >= stuckMs;
    const waiting = this.#fetching ? length : 0;
    if (waiting === 0 || this.#stopping) this.#movedAt = now;
    if (this.#stopping || (!hangs && now - this.#movedAt < stuckMs)) return;
    this.#movedAt = now;
    this.#hungChecks = 0;
    if (this.#rebuilds >= MOST_REBUILDS) {
      onStuck();
      return;
    }
    this.#rebuilds += 1;
    const what = hangs ? 'the loop stood still' : `nothing was fetched from ${queue}`;
    this.#options.onError(new Error(`${what} for ${stuckMs} ms: connecting anew`));
    const former = this.#worker;
    this.#worker = this.#createWorker();
    void this.#worker.startStalledCheckTimer().catch(this.#options.onError);
    // The loop waits in a call of the former worker. Closing it by force ends a call that blocks; one that was lost with the
    // connection that all calls share nothing ends.
    this.#giveUpFetches();
    await former.close(true);
  }

  #createWorker(): Worker<Task> {
    const { client, namespace, queue, onError } = this.#options;
    const worker = new Worker<Task>(queue, null, {
      connection: client,
      prefix: queuePrefix(namespace, queue),
      autorun: false,
      drainDelay: BLOCK_SECONDS,
      lockDuration: LOCK_DURATION_MS,
      stalledInterval: LOCK_DURATION_MS / 2,
      maxStalledCount: 1_000_000,
      skipVersionCheck: true,
    });
    worker.on('error', onError);
    return worker;
  }
}

/** A task in which an attempt failed is shown as failed. Nothing follows from it: what is tried again comes as another task. */
async function endJob(job: Job<Task>, token: string, outcome: TaskOutcome | undefined): Promise<void> {
  if (outcome === undefined || outcome.failed === 0) {
    await job.moveToCompleted(outcome, token, false);
    return;
  }
  const { succeeded, failed, codes } = outcome;
  await job.moveToFailed(
    new Error(`${failed} of ${succeeded + failed} attempts failed: ${codes.join(', ')}`),
    token,
    false,
  );
}

interface ActiveTask {
  job: Job<Task>;
  token: string;
  done: Promise<void>;
  /** Monotonic. */
  since: number;
  /** Progress told last. */
  told: string;
}
