import { FlotillaError, type Problem } from '@flotilla/contracts';
import type { FastifyInstance } from 'fastify';
import type { DashboardContext } from './dashboard-context.ts';
import { mayRead } from './may-read.ts';

const ASK_WITHIN_MS = 2000;
const DASHBOARD_VERSION = '0.1.0';

/** What the dashboard itself knows: its queues, and what it is connected to. */
export async function registerDeploymentRoutes(app: FastifyInstance, context: DashboardContext): Promise<void> {
  const { config, board, redisTarget, redisIsReady } = context;
  app.addHook('onRequest', async (request) => {
    if (!(await mayRead(request, context)))
      throw new FlotillaError('UNAUTHORIZED', 'log in with an API key that may read');
  });
  app.get('/queue-list', async () => {
    if (!redisIsReady()) throw new FlotillaError('REDIS_UNAVAILABLE', 'the dashboard cannot reach Redis now');
    return { queues: await board.summaries() };
  });
  app.get('/deployment', async () => {
    const { isReady, problems } = await askReadiness(config.schedulerUrl);
    return {
      schedulerUrl: config.schedulerUrl,
      schedulerIsReady: isReady,
      namespace: config.namespace,
      version: DASHBOARD_VERSION,
      redis: redisTarget,
      redisIsReady: redisIsReady(),
      problems,
    };
  });
}

async function askReadiness(schedulerUrl: string): Promise<{ isReady: boolean; problems: Problem[] }> {
  try {
    const answer = await fetch(`${schedulerUrl}/readyz`, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
    const { problems = [] } = (await answer.json()) as { problems?: Problem[] };
    return { isReady: answer.ok, problems };
  } catch {
    return { isReady: false, problems: [] };
  }
}
