import { idZ, type Json, stepIdZ } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';

const MAX_WEBHOOK_BYTES = 262_144;
const paramsZ = z.strictObject({ runId: idZ, stepId: stepIdZ, token: z.string().min(16).max(64) });
const answerZ = z.object({ accepted: z.literal(true), alreadyAnswered: z.boolean() });

/** The token in the path is what a webhook's caller has instead of an API key. */
export const WEBHOOK_ROUTE = '/v1/webhooks/:runId/:stepId/:token';

export function registerWebhookRoutes(app: HttpApp, { waits }: HttpContext): void {
  app.route({
    method: 'POST',
    url: WEBHOOK_ROUTE,
    bodyLimit: MAX_WEBHOOK_BYTES,
    schema: {
      summary: 'Answer the webhook that a step waits for',
      description: 'Needs no API key: the path holds a secret. The body, any JSON, becomes the output of the step.',
      tags: ['webhooks'],
      params: paramsZ,
      body: z.unknown().optional(),
      response: { 202: answerZ, ...problemAnswer },
    },
    handler: async (request, reply) => {
      const { alreadyAnswered } = await waits.answerWebhook(request.params, (request.body ?? null) as Json);
      reply.code(202);
      return { accepted: true as const, alreadyAnswered };
    },
  });
}
