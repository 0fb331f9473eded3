import { idZ, reportZ, runComparisonZ, runLedgerZ, runUsageZ } from '@flotilla/contracts';
import { problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';
import { runParamsZ } from '../runs.ts';

/** What becomes clear of runs and of the fleet when what is stored of them is put together. */
export function registerRunInsightRoutes(app: HttpApp, { insight }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/ledger',
    schema: {
      summary: "Say what a run's time was spent on, and which steps decided when it ended",
      description:
        'At each moment the time goes to one thing: the first of paused, running, cleaning-up, queued, backing-off, parked, ' +
        'waiting, delay that applies to the run or one of its steps, else overhead; between an end and a retry: ended. The ' +
        'parts sum to `wallMs`.',
      tags: ['runs'],
      params: runParamsZ,
      response: { 200: runLedgerZ, ...problemAnswer },
    },
    handler: (request) => insight.readLedger(request.params.runId),
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/usage',
    schema: {
      summary: "Say what a run's attempts have used, and what its budget allows",
      description: 'What handlers tell with `usage.add`; attempts that failed or were lost are included.',
      tags: ['runs'],
      params: runParamsZ,
      response: { 200: runUsageZ, ...problemAnswer },
    },
    handler: (request) => insight.readUsage(request.params.runId),
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/compare/:otherRunId',
    schema: {
      summary: 'Find the first step in which two runs of a definition differ',
      description:
        'In the order of the definition, items of maps included; what follows the first difference may be its consequence. ' +
        'Digests are given, no payloads. Steps that only one of the runs has settled are left out.',
      tags: ['runs'],
      params: runParamsZ.extend({ otherRunId: idZ }),
      response: { 200: runComparisonZ, ...problemAnswer },
    },
    handler: (request) => insight.compareRuns(request.params.runId, request.params.otherRunId),
  });

  app.route({
    method: 'GET',
    url: '/v1/report',
    schema: {
      summary: 'Say whether the fleet is healthy, and if not, what is wrong and what to do next',
      description: 'Made from facts by fixed rules; the worst finding decides the verdict.',
      tags: ['health'],
      response: { 200: reportZ, ...problemAnswer },
    },
    handler: () => insight.readReport(),
  });
}
