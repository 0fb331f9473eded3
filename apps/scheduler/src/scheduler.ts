import { hostname } from 'node:os';
import { AgentDirectory, listAgentEvents } from '@flotilla/agents';
import { FleetBreakers } from '@flotilla/breakers';
import { Channels } from '@flotilla/channels';
import { FlotillaError, type Problem, parseJsonInPieces } from '@flotilla/contracts';
import { compileInPieces, type Plan } from '@flotilla/engine';
import { TaskQueues } from '@flotilla/queue';
import {
  type ConnectionRole,
  closeConnection,
  connectRedis,
  REDIS_RECHECK_MS,
  type RedisConnection,
  RedisWatch,
  requireRedis,
  StorageWatch,
  untilReady,
  watchEpoch,
} from '@flotilla/redis';
import { BulkJobs, breakerKeys, loopTurns, randomToken, State } from '@flotilla/state';
import type { Logger, Telemetry } from '@flotilla/telemetry';
import { createBulkApi } from './bulk/bulk-api.ts';
import { Calm } from './calm.ts';
import type { SchedulerConfig } from './config.ts';
import { BreakerView } from './decisions/breaker-view.ts';
import { FleetView } from './decisions/fleet-view.ts';
import { planReopening } from './decisions/plan-reopening.ts';
import { ChildRuns } from './decisions/waits/child-runs.ts';
import { createHttpServer } from './http/create-http-server.ts';
import { InputSchemas } from './http/input/input-schemas.ts';
import { PlanSource } from './http/plan-source.ts';
import { createInsight } from './insight/create-insight.ts';
import { observeFleet } from './insight/observe-fleet.ts';
import { createExportTracesLoop } from './loops/export-traces.ts';
import { createFireDueLoop } from './loops/fire-due.ts';
import { Loop } from './loops/loop.ts';
import { createMonitorAgentsLoop } from './loops/monitor-agents.ts';
import { createPruneLoop } from './loops/prune-runs.ts';
import { createReclaimLoop } from './loops/reclaim-leases.ts';
import { createRelayLoop } from './loops/relay-outbox.ts';
import { createBulkLoop } from './loops/run-bulk-jobs.ts';
import { createWatchFleetLoop } from './loops/watch-fleet.ts';
import { createWatchStorageLoop, retentionAt } from './loops/watch-storage.ts';
import { explainRun } from './why/explain-run.ts';

export interface RunningScheduler {
  /** Where the API listens. */
  url: string;
  /** Ends requests, loops and connections. Safe to call twice; never hangs. */
  stop: () => Promise<void>;
}

const CONNECT_DEADLINE_MS = 10_000;
const EPOCH_CHECK_MS = 2000;
/** A list of agents that is older than this is made anew. */
const FRESH_AGENTS_MS = 500;
/** A loop that has not turned for this long is reported by /readyz. */
const LOOP_STALL_MS = 10_000;
/** Stopping waits no longer than this for connections that hang. */
const CLOSE_MS = 2000;

export interface StartSchedulerOptions {
  /** The deployment's data have vanished. */
  onDataLoss: (message: string) => void;
  telemetry: Telemetry;
}

/** Starts a scheduler: the HTTP API and the loops. */
export async function startScheduler(
  config: SchedulerConfig,
  logger: Logger,
  { onDataLoss, telemetry: { tracing, meters } }: StartSchedulerOptions,
): Promise<RunningScheduler> {
  const schedulerId = `s-${randomToken(8)}`;
  const connections: RedisConnection[] = [];
  const connect = (role: ConnectionRole) => {
    const connection = connectRedis(config.redisUrl, role, {
      name: schedulerId,
      onError: (report) => logger.warn({ ...report, target: connection.target }, 'Redis connection error'),
    });
    connections.push(connection);
    return connection;
  };
  const closeAll = () => Promise.all(connections.map((connection) => closeConnection(connection, CLOSE_MS)));
  try {
    const commands = connect('commands');
    await untilReady(commands, CONNECT_DEADLINE_MS);
    const { namespace, partitions, allowVolatile } = config;
    const check = await requireRedis(commands.client, { namespace, partitions, allowVolatile });
    for (const warning of check.warnings) logger.warn({ code: warning.code }, warning.message);
    const state = new State<Plan>({
      client: commands.client,
      namespace: config.namespace,
      partitions: config.partitions,
      compile: compileStored,
      checkpointKeys: config.checkpointKeys,
      idempotencyTtlMs: config.idempotencyTtlMs,
      // A submission is up to two calls: what Redis said is told before the request's deadline hides it.
      admissionDeadlineMs: Math.min(4000, Math.round(config.requestDeadlineMs * 0.4)),
      // Waiting for replicas or disks blocks a connection: not the one that the loops and other requests use.
      durableClient: connect('commands').client,
    });
    await state.listenOn(connect('subscriber').client);
    const queues = new TaskQueues({
      client: connect('queue').client,
      namespace: config.namespace,
      onError: (error) => logger.warn({ error: error.message }, 'task queue error'),
    });
    const { client } = commands;
    const directory = new AgentDirectory({ client, namespace, lostAfterMs: config.health.lostAfterMs });
    const fleet = new FleetView(state, directory);
    const breakers = new BreakerView(state, new FleetBreakers(client, breakerKeys(namespace)), config.flags);
    await Promise.all([fleet.refresh(), breakers.refresh()]);
    const blocking = connect('blocking').client;
    const watchEpochLoop = new Loop({
      name: 'watch-epoch',
      turn: async () => {
        const found = await watchEpoch(commands.client, config.namespace, check.deployment.epoch);
        if (found === 'vanished' || found === 'changed') {
          onDataLoss(
            `DATA_LOSS: the data of deployment ${config.namespace} in Redis have ${found}; this scheduler stops`,
          );
        }
        return undefined;
      },
      intervalMs: EPOCH_CHECK_MS,
      logger,
    });
    const { deployment, servers } = check;
    const watch = new RedisWatch(commands.client, {
      ...{ namespace, partitions, allowVolatile, servers },
      knownEpoch: deployment.epoch,
    });
    // Its turns are further apart than those of a loop that counts as stalled.
    const watchRedisLoop = new Loop({
      name: 'watch-redis',
      turn: async () => {
        for (const { code, message } of await watch.look()) logger.error({ code }, message);
        return undefined;
      },
      intervalMs: REDIS_RECHECK_MS,
      logger,
    });
    const storage = new StorageWatch(
      commands.client,
      config.flags['storage-watermarks'] > 0 ? config.watermarks : undefined,
    );
    observeFleet(meters, { state, directory, breakers, storage });
    const inputs = new InputSchemas();
    const plans = new PlanSource({ api: state, compile: compileInPieces, maxDepth: config.maxDepth, inputs });
    const channels = new Channels(commands.client, {
      ...{ namespace, tags: state.tags, tagOf: (channel: string) => state.tagOf(channel) },
    });
    const children = new ChildRuns({ state, plans, inputs, maxInputBytes: config.maxInputBytes });
    const calm = new Calm();
    const fireDueLoop = createFireDueLoop({ state, queues, schedulerId, calm, logger });
    calm.onEnd = () => fireDueLoop.wake();
    const jobs = new BulkJobs(client, namespace);
    const bulkLoop = createBulkLoop({ state, jobs, schedulerId, logger });
    const { retentionMs } = config;
    const loops = [
      bulkLoop,
      createRelayLoop({
        ...{ state, queues, fleet, breakers, children, channels, blocking, schedulerId, calm, meters, logger },
      }),
      fireDueLoop,
      createReclaimLoop({ state, calm, meters, logger }),
      createPruneLoop({ state, channels, retentionMs: () => retentionAt(storage.level, config.retentionMs), logger }),
      createWatchStorageLoop({ storage, fleet, state, logger }),
      createWatchFleetLoop({ fleet, breakers, state, logger }),
      watchEpochLoop,
      ...(tracing === undefined ? [] : [createExportTracesLoop({ state, tracing, logger })]),
    ];
    // Its turns may be configured to be further apart than those of a loop that counts as stalled.
    const monitorLoop = createMonitorAgentsLoop({
      ...{ directory, client, namespace, meters, logger },
      ...{ thresholds: config.health, intervalMs: config.healthCheckMs },
    });
    const slowLoops = [watchRedisLoop, monitorLoop];
    for (const loop of [...loops, monitorLoop]) {
      loop.onTurn = () => meters.add('flotilla_loop_turns_total', { loop: loop.name });
    }
    const insight = createInsight({
      state,
      listAgents: () => directory.list(FRESH_AGENTS_MS),
      listBreakers: () => breakers.listBreakers(),
      findProblems: () => [
        ...loops.filter(({ idleMs }) => idleMs > LOOP_STALL_MS).map(stalled),
        ...watch.problems,
        ...storage.problems,
      ],
    });
    const server = await createHttpServer({
      meters,
      api: state,
      agentApi: {
        // The fleet is looked at all the time: a request looks itself only when that has stopped.
        listAgents: () => directory.list(FRESH_AGENTS_MS),
        listAgentEvents: (limit) => listAgentEvents(client, namespace, limit),
      },
      whyApi: {
        planRetry: (runId, request) => planReopening(state, runId, request),
        explainRun: (runId, query) =>
          explainRun(
            {
              state,
              queues,
              listAgents: () => directory.list(FRESH_AGENTS_MS),
              readBreakers: (names) => breakers.find(names),
            },
            runId,
            query,
          ),
      },
      breakers,
      waitApi: state,
      channelApi: channels,
      bulkApi: createBulkApi({ state, jobs, retentionMs, onStart: () => bulkLoop.wake() }),
      insight,
      compile: compileInPieces,
      config,
      logger,
      findLoopProblems: () => loops.filter(({ idleMs }) => idleMs > LOOP_STALL_MS).map(stalled),
      findStoreProblems: () => [...watch.problems, ...storage.problems],
      refusesRuns: () => storage.refuses,
    });
    const url = await listen(server, config);
    for (const loop of [...loops, ...slowLoops]) loop.start();
    logger.info({ url, schedulerId, host: hostname(), pid: process.pid }, 'ready');
    let stopping: Promise<void> | undefined;
    const stop = async () => {
      await server.close();
      // A blocked read would hold the relay: its connection is closed first.
      const relayEnds = Promise.all([...loops, ...slowLoops].map((loop) => loop.stop()));
      await Promise.race([relayEnds, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
      await queues.close();
      await closeAll();
    };
    return {
      url,
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** A stored definition compiled when its run was created: that it does not here is the trouble of this process. */
async function compileStored(text: string): Promise<Plan> {
  const document = await loopTurns.runPieces(parseJsonInPieces(text));
  const compiled = await loopTurns.runPieces(compileInPieces(document, { maxDepth: Number.MAX_SAFE_INTEGER }));
  if (compiled.ok) return compiled.plan;
  throw new Error(compiled.problems[0]?.message);
}

function stalled({ name, idleMs }: Loop): Problem {
  return {
    code: 'LOOP_STALLED',
    path: `/loops/${name}`,
    message: `${name} has not turned for ${Math.round(idleMs)} ms`,
  };
}

async function listen(
  server: Awaited<ReturnType<typeof createHttpServer>>,
  { host, port }: SchedulerConfig,
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE') throw error;
    throw new FlotillaError(
      'PORT_IN_USE',
      `port ${port} on ${host} is in use: stop what listens there, or choose another with FLOTILLA_PORT`,
    );
  }
}
