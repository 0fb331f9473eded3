import type { RedisClient } from '@flotilla/redis';
import { Queue } from 'bullmq';
import { queueListKey, queuePrefix } from './queue-names.ts';
import type { Task } from './task.ts';

export interface TaskQueueViewsOptions {
  client: RedisClient;
  namespace: string;
  onError: (error: Error) => void;
}

/** What is in a queue. Tasks that ended are kept for a while: see `KEEP_COMPLETED` in task-queues. */
export interface QueueSummary {
  name: string;
  waiting: number;
  active: number;
  completed: number;
  /** Tasks in which an attempt failed. */
  failed: number;
  /** Since when the oldest waiting task has been asked for, in ms on Redis' clock. */
  oldestWaitingAt?: number;
}

/** The queues of a deployment for those who only look. */
export class TaskQueueViews {
  readonly #options: TaskQueueViewsOptions;
  readonly #queues = new Map<string, Queue<Task>>();

  constructor(options: TaskQueueViewsOptions) {
    this.#options = options;
  }

  /** All queues that anybody has sent to or taken from, in order. */
  async names(): Promise<string[]> {
    const { client, namespace } = this.#options;
    return (await client.smembers(queueListKey(namespace))).sort();
  }

  async summaries(): Promise<QueueSummary[]> {
    const names = await this.names();
    return Promise.all(
      names.map(async (name) => {
        const queue = this.queue(name);
        const [counts, oldest] = await Promise.all([
          queue.getJobCounts('waiting', 'active', 'completed', 'failed'),
          queue.getJobs(['waiting'], 0, 0, true),
        ]);
        const { waiting = 0, active = 0, completed = 0, failed = 0 } = counts;
        const since = oldest[0]?.timestamp;
        return { name, waiting, active, completed, failed, ...(since === undefined ? {} : { oldestWaitingAt: since }) };
      }),
    );
  }

  queue(name: string): Queue<Task> {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      const { client, namespace, onError } = this.#options;
      const prefix = queuePrefix(namespace, name);
      queue = new Queue<Task>(name, { connection: client, prefix, skipMetasUpdate: true, skipVersionCheck: true });
      queue.on('error', onError);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** The connection is not closed: its owner does. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
  }
}
