import type { FastifyRequest } from 'fastify';
import { type DashboardContext, sessionTokenOf } from './dashboard-context.ts';
import { needsSession } from './needs-session.ts';

/** Whether the scheduler would let this browser read: for what the dashboard reads from Redis itself. */
export async function mayRead(request: FastifyRequest, context: DashboardContext): Promise<boolean> {
  const { config, sessions, access } = context;
  const key = await sessions.keyOf(sessionTokenOf(request));
  if (key === undefined && needsSession(config)) return false;
  const allowed = await access.of(key);
  return allowed?.scopes.includes('read') ?? false;
}
