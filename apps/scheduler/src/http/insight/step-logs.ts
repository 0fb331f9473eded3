import { logIndexZ, stepIdZ, stepLogsQueryZ, stepLogsZ } from '@flotilla/contracts';
import { problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';
import { runParamsZ } from '../runs.ts';

export function registerStepLogRoutes(app: HttpApp, { insight }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/logs',
    schema: {
      summary: 'Say which steps of a run have logged something',
      tags: ['runs'],
      params: runParamsZ,
      response: { 200: logIndexZ, ...problemAnswer },
    },
    handler: (request) => insight.readLogIndex(request.params.runId),
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/steps/:stepId/logs',
    schema: {
      summary: 'Read what the attempts of a step have logged, the oldest first',
      description:
        'Lines with a `seq` above `after`; `next` is the `after` of the following page. The last 1,000 of a step are kept, ' +
        '`dropped` says how many are not. A key without the scope `payloads` gets no `fields`.',
      tags: ['runs'],
      params: runParamsZ.extend({ stepId: stepIdZ }),
      querystring: stepLogsQueryZ,
      response: { 200: stepLogsZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { runId, stepId } = request.params;
      const logs = await insight.readStepLogs(runId, stepId, request.query);
      if (request.scopes.includes('payloads')) return logs;
      return { ...logs, lines: logs.lines.map(({ fields: _, ...line }) => line) };
    },
  });
}
