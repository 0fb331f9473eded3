import { Breakers } from '@flotilla/breakers';
import { Channels } from '@flotilla/channels';
import { parseJsonInPieces } from '@flotilla/contracts';
import { compileInPieces, type Plan } from '@flotilla/engine';
import { Executor, type ExecutorOptions } from '@flotilla/executor';
import { capabilityQueue } from '@flotilla/queue';
import { type ConnectionRole, closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { breakerKeys, loopTurns, State } from '@flotilla/state';
import { createRateLimitedLog, type Logger, type Tracing } from '@flotilla/telemetry';
import type { WorkerConfig } from './config.ts';
import { loadHandlers } from './load-handlers.ts';
import { traceAttempts } from './trace-attempts.ts';
import { Watchdog } from './watchdog.ts';

const CONNECT_DEADLINE_MS = 10_000;
export const CLOSE_MS = 2000;

/** What making attempts needs: of a worker, and of a process that makes one attempt for it. */
export interface WorkerParts {
  connect: (role: ConnectionRole) => RedisConnection;
  commands: RedisConnection;
  state: State<Plan>;
  capabilities: string[];
  handlerNames: string[];
  queues: string[];
  watchdog: Watchdog;
  breakers: Breakers;
  createExecutor: (
    own: Pick<ExecutorOptions, 'workerId' | 'slots' | 'runIsolated' | 'meter' | 'onExhausted' | 'onAttemptEnd'>,
  ) => Executor;
  close: () => Promise<void>;
}

export interface WorkerPartsOptions {
  /** Told of errors of the connections. */
  onTrouble?: (error: unknown) => void;
  tracing?: Tracing | undefined;
}

/** Loads the handlers and connects to Redis. `name` is what Redis lists the connections as. */
export async function createWorkerParts(
  config: WorkerConfig,
  logger: Logger,
  name: string,
  { onTrouble = () => undefined, tracing }: WorkerPartsOptions = {},
): Promise<WorkerParts> {
  const { handlers, classifyRules } = await loadHandlers(config.handlerModules, config.handlersLoadMs);
  const connections: RedisConnection[] = [];
  let endTimers: (() => void) | undefined;
  const connect = (role: ConnectionRole) => {
    const connection = connectRedis(config.redisUrl, role, {
      name,
      onError: (report) => {
        logger.warn({ ...report, target: connection.target }, 'Redis connection error');
        onTrouble(report.error);
      },
    });
    connections.push(connection);
    return connection;
  };
  const close = async () => {
    endTimers?.();
    await Promise.all(connections.map((connection) => closeConnection(connection, CLOSE_MS)));
  };
  try {
    const commands = connect('commands');
    await untilReady(commands, CONNECT_DEADLINE_MS);
    const { namespace, partitions } = config;
    const state = new State<Plan>({
      ...{ client: commands.client, namespace, partitions, compile: compileStored },
      checkpointKeys: config.checkpointKeys,
    });
    const capabilities = Array.from(handlers.values(), ({ capability }) => capability).filter(
      (capability) => capability !== undefined,
    );
    const queues = [...new Set([...config.queues, ...capabilities.map(capabilityQueue)])];
    const limited = createRateLimitedLog({ logger });
    const breakers = new Breakers({
      client: commands.client,
      keys: breakerKeys(namespace),
      settings: config.breakers,
      onError: (error, breaker) =>
        void limited.write('breakers', 'warn', { error, breaker }, 'the fleet could not be asked about its breakers'),
    });
    const channels = new Channels(commands.client, {
      ...{ namespace, tags: state.tags, tagOf: (channel: string) => state.tagOf(channel) },
    });
    endTimers = () => breakers.close();
    await breakers.refresh();
    const createExecutor: WorkerParts['createExecutor'] = (own) =>
      new Executor({
        ...own,
        observer: tracing && traceAttempts({ tracing, state, workerId: own.workerId }),
        state,
        breakers,
        channels,
        abilities: { handlers, queues: new Set(queues) },
        logger,
        classifyRules,
        flags: config.flags,
        outputLimits: { maxDepth: 64, maxBytes: config.maxOutputBytes, maxKeys: 100_000 },
      });
    const handlerNames = [...handlers.keys()];
    const watchdog = new Watchdog();
    return { connect, commands, state, capabilities, handlerNames, queues, watchdog, breakers, createExecutor, close };
  } catch (error) {
    await close();
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
