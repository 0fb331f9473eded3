import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { type QueueSummary, type Task, TaskQueueViews } from '@flotilla/queue';
import type { RedisClient } from '@flotilla/redis';
import type { Logger } from '@flotilla/telemetry';
import type { FastifyPluginCallback } from 'fastify';

export interface QueueBoardOptions {
  client: RedisClient;
  namespace: string;
  logger: Logger;
}

export const QUEUES_PATH = '/queues';
/** New queues appear within this time. */
const REFRESH_MS = 3000;
const UI_CONFIG = {
  boardTitle: 'Flotilla queues',
  hideRedisDetails: true,
  pollingInterval: { showSetting: true },
  miscLinks: [{ text: 'Back to Flotilla', url: '../' }],
};

/**
 * The Bull dashboard of all task queues. Read-only always: a task is a hint that steps may be claimed, so retrying or
 * promoting one there would control nothing.
 */
export class QueueBoard {
  readonly #options: QueueBoardOptions;
  readonly #views: TaskQueueViews;
  readonly #adapter = new FastifyAdapter();
  readonly #board: ReturnType<typeof createBullBoard>;
  readonly #shown = new Map<string, BullMQAdapter>();
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(options: QueueBoardOptions) {
    this.#options = options;
    const { client, namespace, logger } = options;
    const onError = (error: Error) => logger.debug({ error }, 'could not read a queue');
    this.#views = new TaskQueueViews({ client, namespace, onError });
    this.#adapter.setBasePath(QUEUES_PATH);
    this.#board = createBullBoard({ queues: [], serverAdapter: this.#adapter, options: { uiConfig: UI_CONFIG } });
  }

  plugin(): FastifyPluginCallback<{ prefix: string }> {
    return this.#adapter.registerPlugin() as FastifyPluginCallback<{ prefix: string }>;
  }

  /** Shows the queues that there are now. While Redis is away the last known stay. */
  async refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.#refreshedAt < REFRESH_MS) return;
    this.#refreshedAt = now;
    try {
      for (const name of await this.#views.names()) this.#show(name);
    } catch (error) {
      this.#options.logger.debug({ error }, 'could not list the queues');
    }
  }

  summaries(): Promise<QueueSummary[]> {
    return this.#views.summaries();
  }

  async close(): Promise<void> {
    await this.#views.close();
  }

  #show(name: string): void {
    if (this.#shown.has(name)) return;
    const adapter = new BullMQAdapter(this.#views.queue(name), {
      readOnlyMode: true,
      allowRetries: false,
      externalJobUrl: ({ data }) => linkToRun(data as Task),
    });
    adapter.setFormatter('data', (task) => describeTask(task as Task));
    this.#shown.set(name, adapter);
    this.#board.addQueue(adapter);
  }
}

/** Relative: under which path the pages are served, only the browser knows. */
function pageOf(runId: string): string {
  return `../runs/${encodeURIComponent(runId)}`;
}

/** The run of the first step that a task names. */
function linkToRun({ i }: Task): { displayText: string; href: string } {
  const [runId = ''] = i[0] ?? [];
  return { displayText: i.length === 1 ? 'Show the run' : 'Show the first run', href: pageOf(runId) };
}

/** A task as people read it: how many steps of which runs may be claimed. */
function describeTask({ i }: Task): object {
  const runs = Map.groupBy(i, ([runId]) => runId);
  return {
    steps: i.length,
    runs: [...runs].map(([runId, steps]) => ({ run: runId, steps: steps.length, page: pageOf(runId) })),
  };
}
