import { agentListZ } from '@flotilla/contracts';
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
}
