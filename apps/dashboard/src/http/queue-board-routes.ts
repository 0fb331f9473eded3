import { FlotillaError } from '@flotilla/contracts';
import type { FastifyInstance } from 'fastify';
import { boardPage } from '../queues/board-page.ts';
import { QUEUES_PATH } from '../queues/queue-board.ts';
import { basePathOf } from './base-path.ts';
import type { DashboardContext } from './dashboard-context.ts';
import { mayRead } from './may-read.ts';
import { sendProblem } from './problem-answer.ts';

/** The Bull dashboard at /queues, for those whom the scheduler allows to read. */
export async function registerQueueBoard(app: FastifyInstance, context: DashboardContext): Promise<void> {
  const { config, board, logger } = context;
  app.addHook('onRequest', async (request, reply) => {
    try {
      if (await mayRead(request, context)) return await board.refresh();
      const wantsPage = request.headers['sec-fetch-mode'] === 'navigate';
      if (wantsPage) return reply.redirect(`${basePathOf(request, config.basePath)}/login?next=queues`);
      throw new FlotillaError('UNAUTHORIZED', 'log in with an API key that may read');
    } catch (error) {
      // The Bull dashboard's own error handler would call it an error of the server.
      return sendProblem(error, reply, logger);
    }
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const isPage = String(reply.getHeader('content-type')).startsWith('text/html');
    if (!isPage || typeof payload !== 'string') return payload;
    return boardPage(payload, `${basePathOf(request, config.basePath)}${QUEUES_PATH}/`);
  });
  await app.register(board.plugin(), { prefix: QUEUES_PATH });
}
