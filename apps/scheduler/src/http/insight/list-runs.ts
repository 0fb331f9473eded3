import { type ListRunsQuery, listRunsQueryZ, type RunList, runListZ } from '@flotilla/contracts';
import { pageOf, problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';
import { validationFailed } from '../zod-problems.ts';

export function registerRunListRoute(app: HttpApp, context: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/runs',
    schema: {
      summary: 'List runs, newest first',
      description:
        'All filters that are given must fit. `waiting` is a reason (`queued`, `backing-off`, `delay`, `breaker`, ' +
        '`no-handler`, `agent-health`, `storage`, `paused`), with a subject where it has one: `breaker:payments`. `error` is ' +
        'the fingerprint of a group of errors. `from` and `to` are about the creation. `id` finds the run of any id: its ' +
        'own, that of an attempt, an idempotency key. `counts=true` adds how many runs of this workflow, tag and time there ' +
        'are by status and by reason. A page may be shorter than `limit` and have a cursor all the same.',
      tags: ['runs'],
      querystring: listRunsQueryZ,
      response: { 200: runListZ, ...problemAnswer },
    },
    handler: (request) => listRuns(request.query, context),
  });
}

async function listRuns(query: ListRunsQuery, { api, insight }: HttpContext): Promise<RunList> {
  const { counts: asked, cursor, limit, id, ...filter } = query;
  if (id !== undefined) return findRuns(query, { insight });
  const { workflow, tag, from, to } = filter;
  const [list, counts] = await Promise.all([
    api.listRuns({ ...pageOf({ cursor, limit }), ...filter }),
    asked === 'true' ? insight.countRuns({ workflow, tag, from, to }) : undefined,
  ]);
  return counts === undefined ? list : { ...list, counts };
}

/** An id is enough: what else is asked of the run would only hide it. */
async function findRuns(
  { id = '', ...rest }: ListRunsQuery,
  { insight }: Pick<HttpContext, 'insight'>,
): Promise<RunList> {
  const { limit: _, ...others } = rest;
  const tooMany = Object.entries(others).filter(([, value]) => value !== undefined);
  if (tooMany.length > 0) {
    throw validationFailed(
      tooMany.map(([name]) => ({
        code: 'ILLEGAL_VALUE',
        path: `/${name}`,
        message: `${name} cannot be combined with id`,
      })),
    );
  }
  return { runs: await insight.findRuns(id) };
}
