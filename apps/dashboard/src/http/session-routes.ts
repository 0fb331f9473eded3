import { FlotillaError } from '@flotilla/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { basePathOf } from './base-path.ts';
import { type DashboardContext, SESSION_COOKIE, sessionTokenOf } from './dashboard-context.ts';
import { needsSession } from './needs-session.ts';

const loginZ = z.strictObject({ key: z.string().min(1).max(512) });

/** What a browser may do here: GET, and logging in and out. Keys travel in bodies only. */
export function registerSessionRoutes(app: FastifyInstance, context: DashboardContext): void {
  const { config, sessions, access } = context;
  app.get('/session', async (request) => {
    const key = await sessions.keyOf(sessionTokenOf(request));
    if (key === undefined && needsSession(config)) return { loggedIn: false, needsKey: true, scopes: [] };
    const allowed = await access.of(key);
    return { loggedIn: key !== undefined, needsKey: allowed === undefined, scopes: allowed?.scopes ?? [] };
  });

  app.post('/session', async (request, reply) => {
    const parsed = loginZ.safeParse(request.body);
    if (!parsed.success) throw new FlotillaError('VALIDATION_FAILED', 'expected { "key": "…" }');
    if ((await access.of(undefined)) !== undefined) {
      const message =
        'the scheduler takes no keys: set FLOTILLA_API_KEYS there before you open the dashboard to others';
      throw new FlotillaError('FORBIDDEN', message);
    }
    const allowed = await access.of(parsed.data.key);
    if (allowed === undefined) throw new FlotillaError('UNAUTHORIZED', 'the scheduler does not take this key');
    await sessions.end(sessionTokenOf(request));
    setCookie(request, reply, context, await sessions.create(parsed.data.key));
    return { loggedIn: true, needsKey: false, scopes: allowed.scopes };
  });

  app.delete('/session', async (request, reply) => {
    await sessions.end(sessionTokenOf(request));
    reply.clearCookie(SESSION_COOKIE, { path: `${basePathOf(request, config.basePath)}/` });
    return reply.code(204).send();
  });
}

function setCookie(request: FastifyRequest, reply: FastifyReply, { config }: DashboardContext, token: string): void {
  reply.setCookie(SESSION_COOKIE, token, {
    path: `${basePathOf(request, config.basePath)}/`,
    httpOnly: true,
    sameSite: 'strict',
    // Over plain http a browser would not send a secure cookie back.
    secure: request.headers['x-forwarded-proto'] === 'https',
    maxAge: Math.round(config.sessionMs / 1000),
  });
}
