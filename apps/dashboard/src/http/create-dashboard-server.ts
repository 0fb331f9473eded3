import cookie from '@fastify/cookie';
import Fastify, { type FastifyInstance } from 'fastify';
import { withoutBasePath } from './base-path.ts';
import { checkCaller } from './check-caller.ts';
import type { DashboardContext } from './dashboard-context.ts';
import { registerDeploymentRoutes } from './deployment-routes.ts';
import { forwardApi } from './forward-api.ts';
import { countRequests, METRICS_PATH, registerMetricsRoute } from './metrics-routes.ts';
import { registerPages } from './pages.ts';
import { sendProblem } from './problem-answer.ts';
import { registerQueueBoard } from './queue-board-routes.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import { registerSessionRoutes } from './session-routes.ts';

const MAX_BODY_BYTES = 64 * 1024;
/** Asked by machinery that knows no session and names the machine as it likes. They show nothing of runs. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', METRICS_PATH]);

/** The dashboard's server, which does not listen yet. */
export async function createDashboardServer(context: DashboardContext): Promise<FastifyInstance> {
  const { config, logger } = context;
  const app = Fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    rewriteUrl: (request) => withoutBasePath(request.url ?? '/', config.basePath),
    routerOptions: { maxParamLength: 512 },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (OPEN_PATHS.has(request.url)) return undefined;
    try {
      checkCaller(request, config);
    } catch (error) {
      // Answered here: the Bull dashboard has an error handler of its own, which would call it an error of the server.
      return sendProblem(error, reply, logger);
    }
    return undefined;
  });
  app.setErrorHandler((error, _request, reply) => sendProblem(error, reply, logger));
  await app.register(cookie);
  countRequests(app, context.meters);
  app.get('/healthz', async () => ({ ok: true }));
  await app.register(async (scope) => registerMetricsRoute(scope, context));
  registerSessionRoutes(app, context);
  await app.register(async (scope) => registerDeploymentRoutes(scope, context));
  await app.register(async (scope) => forwardApi(scope, context));
  await app.register(async (scope) => registerQueueBoard(scope, context));
  await registerPages(app, context);
  return app;
}
