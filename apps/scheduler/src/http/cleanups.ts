import { cleanupRetriedZ, failedCleanupListZ } from '@flotilla/contracts';
import { z } from 'zod';
import { pageOf, pageQueryZ, problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { runParamsZ } from './runs.ts';

const paramsZ = runParamsZ.extend({ number: z.coerce.number().int().min(0).max(9_999_999) });

export function registerCleanupRoutes(app: HttpApp, { api, meters }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/cleanups/failed',
    schema: {
      summary: 'List the ended runs of which compensations or registered cleanups have failed for good',
      description:
        'By when they ended, the newest first, until none is left that failed, or the run is retried or removed.',
      tags: ['cleanups'],
      querystring: pageQueryZ,
      response: { 200: failedCleanupListZ, ...problemAnswer },
    },
    handler: (request) => api.listFailedCleanups(pageOf(request.query)),
  });

  app.route({
    method: 'POST',
    url: '/v1/runs/:runId/cleanups/:number/retry',
    schema: {
      summary: 'Make a compensation or registered cleanup again that failed for good',
      description:
        'Alone: the run stays as it ended. It has the same idempotency key as before, and as many attempts. One of a run at a ' +
        'time; while it is under way the run cannot be retried. Asking twice is harmless.',
      tags: ['cleanups'],
      params: paramsZ,
      response: { 200: cleanupRetriedZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { runId, number } = request.params;
      const alreadyRetried = await api.retryCleanup(runId, number);
      if (!alreadyRetried) meters.add('flotilla_cleanup_retries_total', {});
      return { runId, number, alreadyRetried };
    },
  });
}
