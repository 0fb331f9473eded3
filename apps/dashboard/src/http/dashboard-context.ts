import type { Logger, Meters } from '@flotilla/telemetry';
import type { FastifyRequest } from 'fastify';
import type { DashboardConfig } from '../config.ts';
import type { QueueBoard } from '../queues/queue-board.ts';
import type { SchedulerAccess } from '../sessions/scheduler-access.ts';
import type { SessionStore } from '../sessions/session-store.ts';

export interface DashboardContext {
  config: DashboardConfig;
  logger: Logger;
  meters: Meters;
  access: SchedulerAccess;
  sessions: SessionStore;
  board: QueueBoard;
  /** Where Redis is, without secrets. */
  redisTarget: string;
  redisIsReady: () => boolean;
}

export const SESSION_COOKIE = 'flotilla-session';

export function sessionTokenOf(request: FastifyRequest): string | undefined {
  return request.cookies[SESSION_COOKIE];
}
