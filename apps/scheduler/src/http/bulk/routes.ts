import { bulkItemListZ, bulkListZ, bulkStartedZ, bulkViewZ, idZ, startBulkZ } from '@flotilla/contracts';
import { z } from 'zod';
import type { BulkApi } from '../../bulk/bulk-api.ts';
import { pageOf, pageQueryZ, problemAnswer } from '../answers.ts';
import { boundCalls } from '../bounded-api.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';

/** The same with a deadline on every call, and typed errors. */
export function boundBulk(bulk: BulkApi, deadlineMs: number): BulkApi {
  return {
    ...boundCalls(bulk, ['start', 'abort'], deadlineMs, true),
    ...boundCalls(bulk, ['list', 'read', 'listItems'], deadlineMs, false),
  };
}

const paramsZ = z.strictObject({ bulkId: idZ });
/** A thousand ids. */
const MAX_BULK_BODY_BYTES = 262_144;
const tags = ['bulk'];

export function registerBulkRoutes(app: HttpApp, { bulk }: HttpContext): void {
  app.route({
    method: 'POST',
    url: '/v1/bulk',
    bodyLimit: MAX_BULK_BODY_BYTES,
    schema: {
      summary: 'Cancel, retry, redrive, pause or resume many runs',
      description:
        'By `filter` (as `GET /v1/runs` takes it; an empty one is refused) or by `ids`. The runs are fixed now; schedulers ' +
        'then take them one after the other, and go on where one that died has left off. With `dryRun` they are only counted.',
      tags,
      body: startBulkZ,
      response: { 200: bulkStartedZ, 202: bulkStartedZ, ...problemAnswer },
    },
    handler: async (request, reply) => {
      const started = await bulk.start(request.body);
      reply.code(started.bulkId === undefined ? 200 : 202);
      return started;
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/bulk',
    schema: { summary: 'List bulk jobs, the newest first', tags, response: { 200: bulkListZ, ...problemAnswer } },
    handler: async () => ({ bulks: await bulk.list() }),
  });

  app.route({
    method: 'GET',
    url: '/v1/bulk/:bulkId',
    schema: {
      summary: 'How far a bulk job is',
      description: '`done` counts runs that needed nothing, too. Jobs that have ended are kept as long as ended runs.',
      tags,
      params: paramsZ,
      response: { 200: bulkViewZ, ...problemAnswer },
    },
    handler: (request) => bulk.read(request.params.bulkId),
  });

  app.route({
    method: 'GET',
    url: '/v1/bulk/:bulkId/items',
    schema: {
      summary: 'What became of each run of a bulk job',
      tags,
      params: paramsZ,
      querystring: pageQueryZ,
      response: { 200: bulkItemListZ, ...problemAnswer },
    },
    handler: (request) => bulk.listItems(request.params.bulkId, pageOf(request.query)),
  });

  app.route({
    method: 'POST',
    url: '/v1/bulk/:bulkId/abort',
    schema: {
      summary: 'Stop a bulk job',
      description: 'No further run is touched; what was done stays done. A job that has ended stays as it is.',
      tags,
      params: paramsZ,
      response: { 200: bulkViewZ, ...problemAnswer },
    },
    handler: (request) => bulk.abort(request.params.bulkId),
  });
}
