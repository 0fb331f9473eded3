import { hostname } from 'node:os';
import { WorkMeter } from '@flotilla/agents';
import type { AgentView } from '@flotilla/contracts';
import type { Slots } from '@flotilla/executor';
import { TaskConsumer } from '@flotilla/queue';
import { REDIS_RECHECK_MS, RedisWatch, requireRedis, StorageWatch } from '@flotilla/redis';
import { listenForHints, randomToken } from '@flotilla/state';
import { createRateLimitedLog, type Logger, NO_METERS, type Telemetry } from '@flotilla/telemetry';
import type { WorkerConfig } from './config.ts';
import { ForgottenAttempts } from './forgotten-attempts.ts';
import { Intake } from './intake.ts';
import { IsolatedProcessPool } from './isolation/isolated-process-pool.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { LoadGovernor } from './load-governor.ts';
import { measureAttempts } from './measure-attempts.ts';
import { type MetricsServer, startMetricsServer } from './metrics-server.ts';
import { observeWorker } from './observe-worker.ts';
import { OutageWatch } from './outage-watch.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { CLOSE_MS, createWorkerParts } from './worker-parts.ts';

/** How often the memory of Redis is looked at. */
const STORAGE_LOOK_MS = 1000;
const WORKER_VERSION = '0.1.0';

export interface RunningWorker {
  workerId: string;
  /**
   * Stops taking tasks, lets attempts end within the time (default: the drain time), hands the rest back, leaves. Called
   * again, it hands back what is left after that time.
   */
  drain: (graceMs?: number) => Promise<void>;
}

export interface StartWorkerOptions {
  /** Tasks wait in a queue, and none can be fetched. */
  onStuck: (queue: string) => void;
  onDataLoss: (message: string) => void;
  telemetry: Telemetry;
}

/** Starts a worker: loads the handlers, takes tasks from its queues, keeps its lease. */
export async function startWorker(
  config: WorkerConfig,
  logger: Logger,
  { onStuck, onDataLoss, telemetry }: StartWorkerOptions,
): Promise<RunningWorker> {
  // A new id for each process: a restarted worker never takes over what a former one held.
  const workerId = `w-${randomToken(8)}`;
  let governor: LoadGovernor | undefined;
  const onTrouble = (error: unknown) => governor?.noteTrouble(error);
  const { meters } = telemetry;
  const parts = await createWorkerParts(config, logger, workerId, { onTrouble, tracing: telemetry.tracing });
  const { connect, commands, state, capabilities, queues, watchdog, breakers } = parts;
  try {
    const { namespace, partitions, allowVolatile } = config;
    const { deployment, servers } = await requireRedis(commands.client, { namespace, partitions, allowVolatile });
    const own =
      config.isolatedProcesses === 0
        ? undefined
        : new IsolatedProcessPool({ workerId, most: config.isolatedProcesses, logger });
    const meter = new WorkMeter();
    const limited = createRateLimitedLog({ logger });
    const executor = parts.createExecutor({
      meter,
      workerId,
      slots: config.concurrency,
      onExhausted: (code) => governor?.exhausted(code),
      ...(meters === NO_METERS ? {} : { onAttemptEnd: measureAttempts(meters) }),
      ...(own === undefined ? {} : { runIsolated: (attempt, control) => own.make(attempt, control) }),
    });
    const outages = new OutageWatch(() => commands.client.ping());
    const startsSlowly = config.flags['slow-start'] > 0;
    if (config.flags['adaptive-concurrency'] > 0) {
      governor = new LoadGovernor({
        ...{ executor, logger, isRedisAway: () => startsSlowly && outages.isAway },
        onMoreRoom: () => keeper.requestHeartbeat(),
      });
    }
    const startedAt = Date.now();
    const identity = {
      ...{ agentId: workerId, workerId, host: hostname(), pid: process.pid, version: WORKER_VERSION },
      ...{ capabilities, queues, handlers: parts.handlerNames, startedAt },
    };
    const describe = () => ({
      load: loadOf(executor.slots, watchdog.takeLagMs()),
      draining: executor.draining,
      work: meter.report(),
    });
    const intake = new Intake({ slots: executor.slots, meter, probationSlots: config.probationSlots, logger });
    const onHealth = (healthText: string) => intake.onHealth(healthText);
    const keeper = new LeaseKeeper({
      state,
      client: commands.client,
      executor,
      breakers,
      logger,
      identity,
      describe,
      onHealth,
    });
    intake.onHealthRelevantChange = () => keeper.requestHeartbeat();
    await keeper.renew();
    const subscriber = connect('subscriber').client;
    await listenForHints(subscriber, namespace, 'breakers', (hint) => breakers.hear(hint));
    await listenForHints(subscriber, namespace, 'aborts', (hint) => {
      // A run id, or one attempt of it: `run|step key|attemptId`.
      const [runId = '', key, attemptId = ''] = hint.split('|');
      if (key === undefined) executor.live.abortRun(runId);
      else executor.live.abortAttempt(runId, key, attemptId);
    });
    const consumers = queues.map(
      (queue) =>
        new TaskConsumer({
          client: connect('queue').client,
          namespace,
          queue,
          // All queues may fetch at once.
          whenRoom: (steps) => executor.slots.whenRoom(steps * queues.length),
          // Its share: what all queues fetch side by side finds slots.
          free: () => Math.floor(executor.slots.unclaimed / queues.length),
          handle: (task) => executor.runTask(task),
          onTurn: () => keeper.turn(queue),
          describe: (task) => executor.live.describe(task),
          onStuck: () => onStuck(queue),
          onFetch: (readyAt) => meters.record('flotilla_queue_wait_ms', Math.max(0, Date.now() - readyAt), { queue }),
          onError: (error) => {
            void limited.write(`task-queue-${queue}`, 'warn', { queue, error: error.message }, 'task queue error');
            onTrouble(error);
          },
        }),
    );
    const watch = new RedisWatch(commands.client, {
      ...{ namespace, partitions, allowVolatile, servers },
      knownEpoch: deployment.epoch,
    });
    const storage = new StorageWatch(
      commands.client,
      config.flags['storage-watermarks'] > 0 ? config.watermarks : undefined,
    );
    const watchingStorage = setInterval(() => void holdBack(storage, executor.slots, logger), STORAGE_LOOK_MS).unref();
    const forgotten = new ForgottenAttempts({
      listAttempts: () => state.listAttempts(workerId),
      holds: (attemptId) => executor.owned.has(attemptId),
      giveBack: (attempt) => state.transitions.release(attempt, 'rolled-back'),
      logger,
      lineage: watch.lineage,
    });
    const watching = setInterval(() => {
      void look(watch, logger, onDataLoss).then(() => forgotten.afterLook(watch.lineage));
    }, REDIS_RECHECK_MS).unref();
    const progress = new ProgressReporter({ executor, state, workerId, logger });
    observeWorker(meters, executor.slots);
    const served = await serveMetrics(config, telemetry);
    watchdog.start();
    outages.start();
    progress.start();
    governor?.start();
    for (const consumer of consumers) consumer.start();
    const about = { workerId, queues, handlers: parts.handlerNames.length, pid: process.pid };
    logger.info({ ...about, ...(served && { metricsUrl: served.url }) }, 'ready');
    let draining: Promise<void> | undefined;
    const drain = async (graceMs: number) => {
      clearInterval(watching);
      clearInterval(watchingStorage);
      const stopped = Promise.all(consumers.map((consumer) => consumer.stopTaking()));
      // While attempts end, the lease is kept by hand: the take loops have come to rest.
      const keeping = setInterval(() => keeper.turn(), 500);
      try {
        await executor.drain(graceMs);
        await stopped;
      } finally {
        clearInterval(keeping);
      }
      await within(Promise.all(consumers.map((consumer) => consumer.close())), CLOSE_MS);
      await within(keeper.leave(), CLOSE_MS);
      served?.close();
      own?.close();
      governor?.stop();
      outages.stop();
      progress.stop();
      await watchdog.stop();
      await parts.close();
    };
    return {
      workerId,
      drain: (graceMs = config.drainMs) => {
        if (draining !== undefined) void executor.drain(graceMs);
        draining ??= drain(graceMs);
        return draining;
      },
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

function serveMetrics({ metrics }: WorkerConfig, { meters }: Telemetry): Promise<MetricsServer | undefined> {
  return metrics === undefined ? Promise.resolve(undefined) : startMetricsServer({ ...metrics, meters });
}

function loadOf({ taken, size, limit }: Slots, loopLagMs: number): AgentView['load'] {
  return { running: taken, slots: size, limit, loopLagMs };
}

/** Has no attempt begin while Redis has hardly any memory left. While it cannot be asked, what was known stays. */
async function holdBack(storage: StorageWatch, slots: Slots, logger: Logger): Promise<void> {
  try {
    slots.limitTo('storage', (await storage.look()) === 'holding' ? 0 : Number.POSITIVE_INFINITY);
  } catch (error) {
    logger.debug({ error }, 'could not read Redis memory usage');
  }
}

/** Tells what has become wrong with how Redis is set up. */
async function look(watch: RedisWatch, logger: Logger, onDataLoss: (message: string) => void): Promise<void> {
  try {
    for (const { code, message } of await watch.look()) {
      logger.error({ code }, message);
      if (code === 'DATA_LOSS') onDataLoss(message);
    }
  } catch (error) {
    logger.warn({ error }, 'could not check Redis');
  }
}

/** The result, or undefined after `limitMs`: closing must never hang. */
async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
