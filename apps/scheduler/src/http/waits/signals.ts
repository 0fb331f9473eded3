import { idZ, type Json, signalSentZ } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from '../answers.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';

const MAX_SIGNAL_BYTES = 262_144;
const paramsZ = z.strictObject({ runId: idZ, name: idZ });
const headersZ = z.looseObject({ 'idempotency-key': z.string().min(1).max(256).optional() });

export function registerSignalRoutes(app: HttpApp, { waits, meters }: HttpContext): void {
  app.route({
    method: 'POST',
    url: '/v1/runs/:runId/signals/:name',
    bodyLimit: MAX_SIGNAL_BYTES,
    schema: {
      summary: 'Send a signal to a run',
      description:
        'The body, any JSON, becomes the output of the step that waits for the signal. One that comes before its step is kept, ' +
        'up to 1,000 of a run; then 429 `SIGNALS_FULL`. The header `Idempotency-Key` makes a repeated request harmless.',
      tags: ['runs'],
      params: paramsZ,
      headers: headersZ,
      body: z.unknown().optional(),
      response: { 200: signalSentZ, 202: signalSentZ, ...problemAnswer },
    },
    handler: async (request, reply) => {
      const { runId, name } = request.params;
      const body = (request.body ?? null) as Json;
      const idempotencyKey = request.headers['idempotency-key'];
      const sent = await waits.sendSignal(runId, { name, body, idempotencyKey });
      if (!sent.deduplicated) meters.add('flotilla_signals_total', {});
      reply.code(sent.deduplicated ? 200 : 202);
      return sent;
    },
  });
}
