import { whyZ } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { runParamsZ } from './runs.ts';

const whyQueryZ = z.strictObject({
  /** Only this step, or item of a map (`notify[3]`). */
  stepId: z.string().min(1).max(200).optional(),
  /** Most gates that are told. */
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

export function registerWhyRoutes(app: HttpApp, { api }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/why',
    schema: {
      summary: 'Say what holds a run: every gate of its steps, with since when and until when',
      description:
        'From state alone. Gates: `dependency`, `queue`, `concurrency`, `handler`, `agent-health`, `breaker`, `timer`, ' +
        '`lease`, `pause`, `storage`, `outside`, `ending`. A run that has ended has none.',
      tags: ['runs'],
      params: runParamsZ,
      querystring: whyQueryZ,
      response: { 200: whyZ, ...problemAnswer },
    },
    handler: (request) => api.explainRun(request.params.runId, request.query),
  });
}
