import {
  checkpointListZ,
  cleanupListZ,
  FlotillaError,
  historyPageZ,
  idZ,
  type Problem,
  type RunStarted,
  runStartedZ,
  runViewZ,
  stepListZ,
} from '@flotilla/contracts';
import { traceIdOf } from '@flotilla/telemetry';
import { z } from 'zod';
import { pageOf, pageQueryZ, problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import type { CreatedRun } from './run-api.ts';
import { prepareRun, type StartRunContext, startRunBodyZ } from './start-run.ts';
import { traceparentOf } from './traceparent-of.ts';

/** Handlers that are named in the warnings of one start; a workflow may use thousands. */
const MAX_WARNINGS = 20;

export const runParamsZ = z.object({ runId: idZ });

const historyQueryZ = z.strictObject({
  after: z.coerce.number().int().min(-1).max(Number.MAX_SAFE_INTEGER).default(-1),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
});

export function startRunContext(context: HttpContext): StartRunContext {
  const { plans, inputs, agents, config } = context;
  const { maxInputBytes, idempotencyTtlMs } = config;
  return { plans, inputs, agents, maxInputBytes, idempotencyTtlMs };
}

export function startedRun(created: CreatedRun, warnings: readonly Problem[]): RunStarted {
  const { runId, status, deduplicated, durability } = created;
  const shown = warnings.slice(0, MAX_WARNINGS).map(({ code, path, message }) => ({ code, path, message }));
  return { runId, status, deduplicated, durability, ...(shown.length > 0 && { warnings: shown }) };
}

export function runNotFound(runId: string): FlotillaError {
  return new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
}

export function registerRunRoutes(app: HttpApp, context: HttpContext): void {
  registerStart(app, context);
  registerReads(app, context);
}

function registerStart(app: HttpApp, context: HttpContext): void {
  const { api, meters } = context;
  const starting = startRunContext(context);
  app.route({
    method: 'POST',
    url: '/v1/runs',
    bodyLimit: context.config.maxBodyBytes,
    schema: {
      summary: 'Start a run',
      description:
        'Of a registered workflow (`workflow`) or of a definition (`definition`). The same `idempotencyKey` or `runId` ' +
        'with the same body gives the same run: 200 and `deduplicated: true`; with another body 409; 410 `RUN_PRUNED` ' +
        'names the run of a key that has ended and was removed after the retention, whether or not a `runId` is given.',
      tags: ['runs'],
      body: startRunBodyZ,
      response: { 200: runStartedZ, 201: runStartedZ, ...problemAnswer },
    },
    handler: async (request, reply) => {
      context.admit();
      const { request: create, warnings } = await prepareRun(request.body, starting);
      const created = await api.createRun({ ...create, traceparent: traceparentOf(request) });
      meters.add('flotilla_runs_started_total', { deduplicated: String(created.deduplicated) });
      reply.code(created.deduplicated ? 200 : 201);
      return startedRun(created, warnings);
    },
  });
}

function registerReads(app: HttpApp, context: HttpContext): void {
  const { api } = context;
  app.route({
    method: 'GET',
    url: '/v1/runs/:runId',
    schema: {
      summary: 'Read a run',
      tags: ['runs'],
      params: runParamsZ,
      response: { 200: runViewZ, ...problemAnswer },
    },
    handler: async (request) => {
      const run = await api.readRun(request.params.runId);
      if (run === undefined) throw runNotFound(request.params.runId);
      return { ...run, traceId: run.traceId ?? traceIdOf(run.runId) };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/steps',
    schema: {
      summary: 'List the steps of a run in the order of its definition',
      tags: ['runs'],
      params: runParamsZ,
      querystring: pageQueryZ,
      response: { 200: stepListZ, ...problemAnswer },
    },
    handler: (request) => api.listSteps(request.params.runId, pageOf(request.query)),
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/history',
    schema: {
      summary: 'Read the history of a run',
      description: 'Events with `seq` greater than `after`; `next` is the `after` of the following page.',
      tags: ['runs'],
      params: runParamsZ,
      querystring: historyQueryZ,
      response: { 200: historyPageZ, ...problemAnswer },
    },
    handler: (request) => api.readHistory(request.params.runId, request.query),
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/cleanups',
    schema: {
      summary: 'List the compensations and registered cleanups of a run in the order of registration',
      description:
        'They are made when the run ends as failed, cancelled or timed out, the last registered first. Those of a run that ' +
        'succeeds stay `registered`.',
      tags: ['runs'],
      params: runParamsZ,
      querystring: pageQueryZ,
      response: { 200: cleanupListZ, ...problemAnswer },
    },
    handler: (request) => api.listCleanups(request.params.runId, pageOf(request.query)),
  });

  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/checkpoints',
    schema: {
      summary: 'List the checkpoints of a run; each is verified when it is read',
      description:
        'Results and progress inside steps, of map items too. A page looks at `limit` steps and items, which have none, ' +
        'one or two each: it may be empty and have a cursor.',
      tags: ['runs'],
      params: runParamsZ,
      querystring: pageQueryZ,
      response: { 200: checkpointListZ, ...problemAnswer },
    },
    handler: (request) => api.listCheckpoints(request.params.runId, pageOf(request.query)),
  });
}
