import { flagListZ, listFlags } from '@flotilla/contracts';
import { problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';

export function registerFlagRoutes(app: HttpApp, { config }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/flags',
    schema: {
      summary: 'List the feature flags, as this scheduler was started with them',
      description: '`percent` of the runs for which each is on; of a flag of the whole `fleet` 0 or 100.',
      tags: ['operation'],
      response: { 200: flagListZ, ...problemAnswer },
    },
    handler: () => listFlags(config.flags),
  });
}
