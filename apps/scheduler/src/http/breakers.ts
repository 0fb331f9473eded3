import { type BreakerView, breakerListZ, breakerViewZ, idZ } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';

/** What the HTTP edge needs of the fleet's breakers. */
export interface BreakerApi {
  listBreakers(): Promise<BreakerView[]>;
  openBreaker(name: string): Promise<BreakerView>;
  closeBreaker(name: string): Promise<BreakerView>;
}

const paramsZ = z.strictObject({ name: idZ });

export function registerBreakerRoutes(app: HttpApp, { breakers }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/breakers',
    schema: {
      summary: 'List the breakers that steps have used within a day',
      tags: ['breakers'],
      response: { 200: breakerListZ, ...problemAnswer },
    },
    handler: async () => ({ breakers: await breakers.listBreakers() }),
  });

  app.route({
    method: 'POST',
    url: '/v1/breakers/:name/open',
    schema: {
      summary: 'Open a breaker by hand: it stays open until it is closed by hand',
      description: 'Steps that are ready wait parked, and no attempt is charged. Attempts that run go on.',
      tags: ['breakers'],
      params: paramsZ,
      response: { 200: breakerViewZ, ...problemAnswer },
    },
    handler: (request) => breakers.openBreaker(request.params.name),
  });

  app.route({
    method: 'POST',
    url: '/v1/breakers/:name/close',
    schema: {
      summary: 'Close a breaker by hand, whatever opened it',
      description: 'Its parked steps come back spread over 45 s or more.',
      tags: ['breakers'],
      params: paramsZ,
      response: { 200: breakerViewZ, ...problemAnswer },
    },
    handler: (request) => breakers.closeBreaker(request.params.name),
  });
}
