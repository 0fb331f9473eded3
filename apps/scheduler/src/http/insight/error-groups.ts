import {
  ERROR_GROUP_ACTIONS,
  errorFingerprintZ,
  errorGroupListZ,
  errorGroupZ,
  listErrorsQueryZ,
} from '@flotilla/contracts';
import { z } from 'zod';
import { pageOf, problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';

const paramsZ = z.strictObject({ fingerprint: errorFingerprintZ });

const SUMMARIES = {
  resolve: 'Say that the cause of a group of errors is gone: when one occurs again, the group is `back`',
  ignore: 'Say that a group of errors is of no interest, however often it occurs',
  reopen: 'Take back that a group of errors was resolved or ignored',
} as const;

export function registerErrorGroupRoutes(app: HttpApp, { insight }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/errors',
    schema: {
      summary: 'List groups of errors, the one that occurred last first',
      description:
        'Failures with the same handler, code and message form a group; quoted texts and words with a digit in them do not ' +
        'count. `GET /v1/runs?error=FINGERPRINT` lists its runs. A partition keeps the 500 groups that occurred last.',
      tags: ['errors'],
      querystring: listErrorsQueryZ,
      response: { 200: errorGroupListZ, ...problemAnswer },
    },
    handler: (request) => insight.listErrorGroups({ ...pageOf(request.query), state: request.query.state }),
  });

  for (const action of ERROR_GROUP_ACTIONS) {
    app.route({
      method: 'POST',
      url: `/v1/errors/:fingerprint/${action}`,
      schema: {
        summary: SUMMARIES[action],
        tags: ['errors'],
        params: paramsZ,
        response: { 200: errorGroupZ, ...problemAnswer },
      },
      handler: (request) => insight.decideErrorGroup(request.params.fingerprint, action),
    });
  }
}
