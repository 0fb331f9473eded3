import type { RedisClient } from '@flotilla/redis';
import { Queue } from 'bullmq';
import { queueListKey, queuePrefix } from './queue-names.ts';
import type { Task } from './task.ts';

export interface TaskQueuesOptions {
  client: RedisClient;
  namespace: string;
  /** Called with errors of the connection; rate-limit what you log. */
  onError: (error: Error) => void;
}

export interface OutgoingTask {
  id: string;
  /** What it carries, for people: `workflow/step`. */
  name: string;
  /** Redis' clock, ms: since when the task has been asked for. The clocks of processes decide nothing. */
  at: number;
  task: Task;
}

/** Finished BullMQ jobs are kept a little so that the Bull dashboard has something to show. */
const KEEP_COMPLETED = { age: 60, count: 1000 };
const KEEP_FAILED = { age: 3600, count: 1000 };

/** The sending side of the task queues: what the relay hands its tasks to. */
export class TaskQueues {
  readonly #options: TaskQueuesOptions;
  readonly #queues = new Map<string, Queue<Task>>();

  constructor(options: TaskQueuesOptions) {
    this.#options = options;
  }

  /** Hands tasks to a queue in one round trip. */
  async add(queueName: string, tasks: readonly OutgoingTask[]): Promise<void> {
    await this.#queue(queueName).addBulk(
      tasks.map(({ id, name, at, task }) => ({ name, data: task, opts: { jobId: id, timestamp: at } })),
    );
  }

  /** Since when the oldest waiting task has been asked for (its `at`), or undefined when none waits. */
  async oldestWaitingAt(queueName: string): Promise<number | undefined> {
    const [job] = await this.#queue(queueName).getJobs(['waiting'], 0, 0, true);
    return job?.timestamp;
  }

  async waitingCount(queueName: string): Promise<number> {
    return this.#queue(queueName).getWaitingCount();
  }

  /**
   * How many tasks wait before the one that names this step, 0 for the next one; undefined when none of the first `most`
   * names it.
   */
  async positionOf(queueName: string, runId: string, stepKey: string, most: number): Promise<number | undefined> {
    const jobs = await this.#queue(queueName).getJobs(['waiting'], 0, most - 1, true);
    const position = jobs.findIndex((job) => job.data.i.some(([run, , key]) => run === runId && key === stepKey));
    return position < 0 ? undefined : position;
  }

  /** Passed connections are not closed: their owner does. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }

  #queue(name: string): Queue<Task> {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new Queue<Task>(name, {
        connection: this.#options.client,
        prefix: queuePrefix(this.#options.namespace, name),
        skipMetasUpdate: true,
        skipVersionCheck: true,
        defaultJobOptions: {
          attempts: 1,
          removeOnComplete: KEEP_COMPLETED,
          removeOnFail: KEEP_FAILED,
          stackTraceLimit: 0,
        },
      });
      queue.on('error', this.#options.onError);
      this.#queues.set(name, queue);
      this.#list(name);
    }
    return queue;
  }

  /** So that dashboards find the queue. A list without it is completed by the next process. */
  #list(name: string): void {
    const { client, namespace, onError } = this.#options;
    client.sadd(queueListKey(namespace), name).catch(onError);
  }
}
