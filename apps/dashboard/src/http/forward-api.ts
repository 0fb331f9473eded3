import replyFrom from '@fastify/reply-from';
import { FlotillaError } from '@flotilla/contracts';
import type { FastifyInstance } from 'fastify';
import { type DashboardContext, sessionTokenOf } from './dashboard-context.ts';
import { needsSession } from './needs-session.ts';
import { sendProblem } from './problem-answer.ts';

/** A cancellation may be waited for this long; event streams have no end. */
const HEADERS_WITHIN_MS = 65_000;
const MOST_CONNECTIONS = 512;
/** What a browser sends that concerns the dashboard, not the API. */
const DROPPED = ['cookie', 'origin', 'referer', 'authorization', 'accept-encoding', 'x-flotilla-dashboard'];

/** Passes /v1 on to the scheduler, with the API key of the session. */
export async function forwardApi(app: FastifyInstance, context: DashboardContext): Promise<void> {
  const { config, sessions, logger } = context;
  // Bodies are passed on as they come: the scheduler checks them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  await app.register(replyFrom, {
    base: config.schedulerUrl,
    disableCache: true,
    undici: { connections: MOST_CONNECTIONS, headersTimeout: HEADERS_WITHIN_MS, bodyTimeout: 0 },
  });
  app.route({
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/v1/*',
    handler: async (request, reply) => {
      const key = await sessions.keyOf(sessionTokenOf(request));
      if (key === undefined && needsSession(config)) throw new FlotillaError('UNAUTHORIZED', 'log in with an API key');
      return reply.from(request.url, {
        rewriteRequestHeaders: (_request, headers) => apiHeaders(headers, key),
        onError: (answer, { error }) => {
          logger.debug({ error }, 'could not reach the scheduler');
          const problem = new FlotillaError('SCHEDULER_UNREACHABLE', 'no scheduler answers; it may be starting');
          sendProblem(problem, answer as never, logger);
        },
      });
    },
  });
}

function apiHeaders<Headers extends object>(headers: Headers, key: string | undefined): Headers {
  const kept = Object.entries(headers).filter(
    ([name]) => !DROPPED.includes(name) && !name.startsWith('sec-') && !name.startsWith('x-forwarded-'),
  );
  if (key !== undefined) kept.push(['authorization', `Bearer ${key}`]);
  return Object.fromEntries(kept) as Headers;
}
