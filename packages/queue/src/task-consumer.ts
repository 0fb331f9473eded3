import { randomUUID } from 'node:crypto';
import type { RedisClient } from '@flotilla/redis';
import { type Job, Worker } from 'bullmq';
import { queuePrefix } from './queue-names.ts';
import type { Task } from './task.ts';

export interface TaskConsumerOptions {
  client: RedisClient;
  namespace: string;
  queue: string;
  /** Resolves when there is a free slot. */
  whenFree: () => Promise<void>;
  /**
   * Runs a task's steps. Must take its slots synchronously, before it first awaits, so that the loop sees them taken.
   * Never rejects for a step's failure: those are state, not the queue's business.
   */
  handle: (task: Task) => Promise<void>;
  /** Called each time the loop comes around: a worker's sign of life is given from here. */
  onTurn: () => void;
  onError: (error: Error) => void;
}

/** BullMQ's lock is only a hint of ours (leases are in state), so it is long and renewed seldom. */
const LOCK_DURATION_MS = 60_000;
const LOCK_RENEWAL_MS = 20_000;
/** Longest block for a task: the loop comes around at least this often. */
const BLOCK_SECONDS = 1;
const AFTER_ERROR_MS = 250;

/**
 * Takes tasks from one queue by hand instead of by BullMQ's own loop: a task is fetched only when a slot is free, so a
 * worker never holds steps that it cannot start.
 */
export class TaskConsumer {
  readonly #options: TaskConsumerOptions;
  readonly #worker: Worker<Task>;
  readonly #active = new Map<string, { job: Job<Task>; token: string; done: Promise<void> }>();
  #stopping = false;
  #loop: Promise<void> | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;

  constructor(options: TaskConsumerOptions) {
    this.#options = options;
    this.#worker = new Worker<Task>(options.queue, null, {
      connection: options.client,
      prefix: queuePrefix(options.namespace, options.queue),
      autorun: false,
      drainDelay: BLOCK_SECONDS,
      lockDuration: LOCK_DURATION_MS,
      stalledInterval: LOCK_DURATION_MS / 2,
      maxStalledCount: 1_000_000,
      skipVersionCheck: true,
    });
    this.#worker.on('error', options.onError);
  }

  start(): void {
    this.#loop ??= this.#run();
    this.#renewal ??= setInterval(() => void this.#renewLocks(), LOCK_RENEWAL_MS).unref();
    // Tasks of dead workers go back to the queue: their steps are claimed long since, so they end as empty hints.
    void this.#worker.startStalledCheckTimer().catch(this.#options.onError);
  }

  /** Stops taking tasks; those in hand go on. Resolves when the loop has come to rest. */
  async stopTaking(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#loop;
  }

  /** Waits for the tasks in hand, then closes. Call `stopTaking` first. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    await Promise.allSettled([...this.#active.values()].map(({ done }) => done));
    await this.#worker.close(true);
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#options.onTurn();
      await this.#whenFreeOrStopping();
      if (this.#stopping) return;
      const token = randomUUID();
      try {
        const job = (await this.#worker.getNextJob(token)) as Job<Task> | undefined;
        if (job !== undefined) this.#begin(job, token);
      } catch (error) {
        this.#options.onError(error as Error);
        await this.#pause(AFTER_ERROR_MS);
      }
    }
  }

  #begin(job: Job<Task>, token: string): void {
    const done = this.#options
      .handle(job.data)
      .then(() => job.moveToCompleted(undefined, token, false))
      .then(() => undefined, this.#options.onError)
      .finally(() => this.#active.delete(job.id!));
    this.#active.set(job.id!, { job, token, done });
  }

  /** A slot, or a short while: the loop must come around to give its sign of life even when all slots are taken. */
  async #whenFreeOrStopping(): Promise<void> {
    for (;;) {
      const turn = this.#pause(BLOCK_SECONDS * 1000);
      const free = await Promise.race([this.#options.whenFree().then(() => true), turn.then(() => false)]);
      this.#wake?.();
      if (free || this.#stopping) return;
      this.#options.onTurn();
    }
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
    await this.#worker.extendJobLocks(ids, tokens, LOCK_DURATION_MS).catch(this.#options.onError);
  }
}
