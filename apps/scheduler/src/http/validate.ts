import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { missingHandlers } from './live-agents.ts';

const validateBodyZ = z.strictObject({ definition: z.unknown() });
const validateAnswerZ = z.object({
  /** True when there are no errors; warnings do not count. */
  ok: z.boolean(),
  problems: z.array(
    z.object({
      code: z.string(),
      path: z.string(),
      message: z.string(),
      severity: z.enum(['error', 'warning']).optional(),
    }),
  ),
});

export function registerValidateRoute(app: HttpApp, context: HttpContext): void {
  app.route({
    method: 'POST',
    url: '/v1/validate',
    bodyLimit: context.config.maxBodyBytes,
    schema: {
      summary: 'Check a definition without storing it',
      description: 'Errors and warnings, handlers that no worker has now among them. Pointers go into the definition.',
      tags: ['workflows'],
      body: validateBodyZ,
      response: { 200: validateAnswerZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { plan, problems } = await context.plans.examine(request.body.definition, { remember: false });
      const agents = plan === undefined ? undefined : await context.agents.list();
      const missing = plan === undefined || agents === undefined ? [] : missingHandlers(plan, agents);
      return { ok: plan !== undefined, problems: [...problems, ...missing] };
    },
  });
}
