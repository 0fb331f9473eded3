import { agentEventListZ, agentListZ } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';

export function registerAgentRoutes(app: HttpApp, { api }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/agents',
    schema: {
      summary: 'List the agents, living and lately lost',
      tags: ['agents'],
      response: { 200: agentListZ, ...problemAnswer },
    },
    handler: async () => ({ agents: await api.listAgents() }),
  });

  app.route({
    method: 'GET',
    url: '/v1/agents/events',
    schema: {
      summary: "List what happened to the agents' health, newest first",
      tags: ['agents'],
      querystring: z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(100) }),
      response: { 200: agentEventListZ, ...problemAnswer },
    },
    handler: async ({ query: { limit } }) => ({ events: await api.listAgentEvents(limit) }),
  });
}
