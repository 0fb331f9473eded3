import { type Access, accessZ, SCOPES, type Scope } from '@flotilla/contracts';
import { problemAnswer } from './answers.ts';
import type { HttpApp } from './http-context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the caller's key may do; everything where no keys are set. */
    scopes: readonly Scope[];
  }
}

export function registerAccessRoute(app: HttpApp): void {
  app.route({
    method: 'GET',
    url: '/v1/access',
    schema: {
      summary: 'Say what the caller may do',
      description:
        '`read`: everything but what runs carry. `payloads`: inputs, outputs and logs as well. `submit`: start runs, ' +
        'register workflows. `operate`: cancel, pause, retry, redrive, open and close breakers. Everything where no keys are set.',
      tags: ['operation'],
      response: { 200: accessZ, ...problemAnswer },
    },
    handler: async (request): Promise<Access> => ({ scopes: SCOPES.filter((scope) => request.scopes.includes(scope)) }),
  });
}
