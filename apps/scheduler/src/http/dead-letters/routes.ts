import {
  bulkDeadLettersDoneZ,
  bulkDeadLettersZ,
  deadLetterActionZ,
  deadLetterDetailZ,
  deadLetterDiscardedZ,
  deadLetterListZ,
  deadLetterRedrivenZ,
  idZ,
  listDeadLettersQueryZ,
  redriveDeadLetterZ,
  stepIdZ,
} from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from '../answers.ts';
import { untilGone } from '../guards/until-gone.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';
import { planOfCompensated } from '../plan-of-compensated.ts';
import { type BulkRequest, inBulk } from './bulk.ts';
import { Pace, REDRIVEN_RUNS_A_SECOND } from './pace.ts';
import { planRedrive } from './plan-redrive.ts';

const paramsZ = z.strictObject({ runId: idZ, stepId: stepIdZ });
const idOf = (runId: string, stepId: string) => `${runId}/${stepId}`;

export function registerDeadLetterRoutes(app: HttpApp, context: HttpContext): void {
  registerReads(app, context);
  registerActions(app, context);
  registerBulkActions(app, context);
}

function registerReads(app: HttpApp, { api }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/dead-letters',
    schema: {
      summary: 'List dead letters: steps that failed for good, of runs that ended failed or timed out',
      description:
        'By when their runs ended, the newest first. `since` and `until` are milliseconds since 1970. A page may be shorter than ' +
        '`limit` while there is a `cursor`: rare matches take several. Of a map the map is listed, not each of its items.',
      tags: ['dead letters'],
      querystring: listDeadLettersQueryZ,
      response: { 200: deadLetterListZ, ...problemAnswer },
    },
    handler: (request) => api.listDeadLetters(request.query),
  });

  app.route({
    method: 'GET',
    url: '/v1/dead-letters/:runId/:stepId',
    schema: {
      summary: 'Show a dead letter: what happened to the step, and what it was given',
      tags: ['dead letters'],
      params: paramsZ,
      response: { 200: deadLetterDetailZ, ...problemAnswer },
    },
    handler: (request) => api.readDeadLetter(request.params.runId, request.params.stepId),
  });
}

function registerActions(app: HttpApp, { api, meters }: HttpContext): void {
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/:runId/:stepId/redrive',
    schema: {
      summary: 'Redrive a dead letter: its run is opened again and goes on from this step',
      description:
        'Other steps of the run that failed stay as they are; what succeeded is kept. Asking twice is harmless: the second ' +
        'answer is `already-redriven`, with how the run stands. `opening` says which failure is meant. Steps of the run that were ' +
        'undone when it ended are made again, too, with new idempotency keys: `plan` says which. With `dryRun` nothing is done.',
      tags: ['dead letters'],
      params: paramsZ,
      body: redriveDeadLetterZ.optional(),
      response: { 200: deadLetterRedrivenZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { runId, stepId } = request.params;
      const { opening, dryRun } = request.body ?? {};
      const name = { id: idOf(runId, stepId), runId, stepId };
      if (dryRun === true) return { ...name, ...(await planRedrive(api, { runId, stepId, opening })) };
      const planned = await planOfCompensated(api, runId, { steps: [stepId], opening });
      const { alreadyRedriven, redriven: _, ...run } = await api.redriveDeadLetters(runId, [stepId], opening);
      if (alreadyRedriven) return { ...name, outcome: 'already-redriven' as const, ...run };
      count(meters, 'redrive', 1);
      return { ...name, outcome: 'redriven' as const, ...run, ...planned };
    },
  });

  app.route({
    method: 'POST',
    url: '/v1/dead-letters/:runId/:stepId/discard',
    schema: {
      summary: 'Take a dead letter off the list',
      description: 'The run stays as it ended, with its history, and can be retried all the same until it is removed.',
      tags: ['dead letters'],
      params: paramsZ,
      body: deadLetterActionZ.optional(),
      response: { 200: deadLetterDiscardedZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { runId, stepId } = request.params;
      const [wasListed] = await api.discardDeadLetters(runId, [stepId], request.body?.opening);
      if (wasListed === true) count(meters, 'discard', 1);
      const outcome = wasListed === true ? ('discarded' as const) : ('already-discarded' as const);
      return { id: idOf(runId, stepId), runId, stepId, outcome };
    },
  });
}

function registerBulkActions(app: HttpApp, { api, meters, closing, logger }: HttpContext): void {
  const pace = new Pace(REDRIVEN_RUNS_A_SECOND);
  const onError = (error: unknown, runId: string) =>
    logger.error({ error, runId }, 'unexpected error on one dead letter of a bulk action');
  const act = async (what: 'redrive' | 'discard', request: BulkRequest, signal: AbortSignal) => {
    const done = await inBulk(what, { api, pace, signal, onError }, request);
    count(meters, what, done.counts[what === 'redrive' ? 'redriven' : 'discarded'] ?? 0);
    return done;
  };
  const schema = {
    tags: ['dead letters'],
    body: bulkDeadLettersZ,
    response: { 200: bulkDeadLettersDoneZ, ...problemAnswer },
  };
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/redrive',
    schema: {
      ...schema,
      summary: 'Redrive the dead letters that fit a filter, the oldest first',
      description:
        `At most \`limit\` (default 100), and no more than ${REDRIVEN_RUNS_A_SECOND} runs a second for each scheduler; the letters of one run ` +
        'are one reopening, and are not divided. Answers what became of each. An empty filter is refused without `all`.',
    },
    handler: (request, reply) => act('redrive', filterOf(request.body), untilGone(request, reply, closing)),
  });
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/discard',
    schema: {
      ...schema,
      summary: 'Take the dead letters that fit a filter off the list, the oldest first',
      description: 'At most `limit` (default 100). An empty filter is refused without `all`.',
    },
    handler: (request, reply) => act('discard', filterOf(request.body), untilGone(request, reply, closing)),
  });
}

function filterOf({ all: _, ...request }: z.infer<typeof bulkDeadLettersZ>): BulkRequest {
  return request;
}

function count(meters: HttpContext['meters'], action: 'redrive' | 'discard', letters: number): void {
  if (letters > 0) meters.add('flotilla_dead_letters_total', { action }, letters);
}
