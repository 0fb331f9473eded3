import { approvalListZ, approvalViewZ, decideApprovalZ, FlotillaError, listApprovalsQueryZ } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';

/** `runId.stepId`. */
const paramsZ = z.strictObject({ id: z.string().min(3).max(300) });

export function registerApprovalRoutes(app: HttpApp, { waits }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/approvals',
    schema: {
      summary: 'List approvals: pending ones, the oldest first, or decided ones, the latest first',
      tags: ['approvals'],
      querystring: listApprovalsQueryZ,
      response: { 200: approvalListZ, ...problemAnswer },
    },
    handler: (request) => waits.listApprovals(request.query),
  });

  app.route({
    method: 'GET',
    url: '/v1/approvals/:id',
    schema: {
      summary: 'Read an approval',
      tags: ['approvals'],
      params: paramsZ,
      response: { 200: approvalViewZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { id } = request.params;
      const approval = await waits.readApproval(id);
      if (approval === undefined) throw new FlotillaError('APPROVAL_NOT_FOUND', `there is no approval ${id}`);
      return approval;
    },
  });

  app.route({
    method: 'POST',
    url: '/v1/approvals/:id',
    schema: {
      summary: 'Decide an approval',
      description:
        'Once: the same decision again answers as before, another one is 409 `APPROVAL_DECIDED`. With `digest` only the action ' +
        'that was shown is decided on, else 409 `APPROVAL_STALE`.',
      tags: ['approvals'],
      params: paramsZ,
      body: decideApprovalZ,
      response: { 200: approvalViewZ, ...problemAnswer },
    },
    handler: (request) => waits.decideApproval(request.params.id, request.body),
  });
}
