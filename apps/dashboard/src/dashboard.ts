import { FlotillaError } from '@flotilla/contracts';
import { closeConnection, connectRedis } from '@flotilla/redis';
import { type Logger, type Meters, NO_METERS } from '@flotilla/telemetry';
import type { DashboardConfig } from './config.ts';
import { createDashboardServer } from './http/create-dashboard-server.ts';
import { QueueBoard } from './queues/queue-board.ts';
import { SchedulerAccess } from './sessions/scheduler-access.ts';
import { SessionStore } from './sessions/session-store.ts';

export interface RunningDashboard {
  /** Where it listens, with the base path. */
  url: string;
  /** Safe to call twice; never hangs. */
  stop: () => Promise<void>;
}

const CLOSE_MS = 2000;

/**
 * Starts the dashboard. It needs neither Redis nor a scheduler to start: pages say what cannot be reached, and come back
 * by themselves.
 */
export async function startDashboard(
  config: DashboardConfig,
  logger: Logger,
  meters: Meters = NO_METERS,
): Promise<RunningDashboard> {
  const onError = (report: object) => logger.warn(report, 'Redis connection error');
  const commands = connectRedis(config.redisUrl, 'commands', { name: 'dashboard', onError });
  const queues = connectRedis(config.redisUrl, 'queue', { name: 'dashboard', onError });
  const board = new QueueBoard({ client: queues.client, namespace: config.namespace, logger });
  const server = await createDashboardServer({
    config,
    logger,
    meters,
    board,
    access: new SchedulerAccess(config.schedulerUrl),
    sessions: new SessionStore({
      client: commands.client,
      namespace: config.namespace,
      lifetimeMs: config.sessionMs,
    }),
    redisTarget: commands.target,
    redisIsReady: () => commands.client.status === 'ready',
  });
  const close = async () => {
    await server.close();
    await board.close();
    await Promise.all([closeConnection(commands, CLOSE_MS), closeConnection(queues, CLOSE_MS)]);
  };
  try {
    const address = await server.listen({ host: config.host.replace(/^\[|\]$/g, ''), port: config.port });
    const url = `${address}${config.basePath}/`;
    logger.info({ url, pid: process.pid }, 'ready');
    let stopping: Promise<void> | undefined;
    return {
      url,
      stop: () => {
        stopping ??= close();
        return stopping;
      },
    };
  } catch (error) {
    await close();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new FlotillaError('PORT_IN_USE', `port ${config.port} is in use; set FLOTILLA_DASHBOARD_PORT to another`);
  }
}
