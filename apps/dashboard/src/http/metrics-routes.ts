import { FlotillaError, hostOfHeader, isLoopbackHost } from '@flotilla/contracts';
import type { Meters } from '@flotilla/telemetry';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DashboardContext } from './dashboard-context.ts';
import { needsSession } from './needs-session.ts';
import { sendProblem } from './problem-answer.ts';

export const METRICS_PATH = '/metrics';

/** Counts and times the requests of every route that is registered after this. */
export function countRequests(app: FastifyInstance, meters: Meters): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    meters.add('flotilla_http_requests_total', { method: request.method, route, status: String(reply.statusCode) });
    meters.record('flotilla_http_request_seconds', reply.elapsedTime / 1000, { route });
  });
}

/**
 * `/metrics`, for machinery that has no session: where the dashboard can be reached by other machines it takes an API key that
 * may read, as `Authorization: Bearer …`.
 */
export async function registerMetricsRoute(app: FastifyInstance, context: DashboardContext): Promise<void> {
  app.get(METRICS_PATH, async (request, reply) => {
    try {
      await checkScraper(request, context);
    } catch (error) {
      return sendProblem(error, reply, context.logger);
    }
    reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8');
    return reply.send(await context.meters.render());
  });
}

/** HOST_REFUSED, UNAUTHORIZED, SCHEDULER_UNREACHABLE. */
async function checkScraper(request: FastifyRequest, { config, access }: DashboardContext): Promise<void> {
  const { host, authorization } = request.headers;
  const name = host === undefined ? undefined : hostOfHeader(host);
  if (isLoopbackHost(config.host) && (name === undefined || !isLoopbackHost(name))) {
    throw new FlotillaError('HOST_REFUSED', 'metrics are served under the names of loopback only');
  }
  const key = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
  if (key === undefined && !needsSession(config)) return;
  const allowed = await access.of(key);
  if (!allowed?.scopes.includes('read')) throw new FlotillaError('UNAUTHORIZED', 'an API key that may read is needed');
}
