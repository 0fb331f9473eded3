import { idZ, workflowDeletedZ, workflowListZ, workflowRegisteredZ, workflowViewZ } from '@flotilla/contracts';
import { z } from 'zod';
import { pageOf, pageQueryZ, problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { missingHandlers } from './live-agents.ts';
import { workflowNotFound } from './plan-source.ts';

const versionZ = z.string().min(1).max(128);

/** `{ definition }`, or the definition (or legacy document) itself. */
const registrationZ = z.record(z.string(), z.unknown());

export function registerWorkflowRoutes(app: HttpApp, context: HttpContext): void {
  const { api, plans, agents } = context;

  app.route({
    method: 'POST',
    url: '/v1/workflows',
    bodyLimit: context.config.maxBodyBytes,
    schema: {
      summary: 'Register a workflow',
      description:
        'Body: `{ "definition": … }` or the definition itself. Answers 201, or 200 when this content was registered before.',
      tags: ['workflows'],
      body: registrationZ,
      response: { 200: workflowRegisteredZ, 201: workflowRegisteredZ, ...problemAnswer },
    },
    handler: async (request, reply) => {
      const { plan, warnings } = await plans.compile(documentOf(request.body));
      const { view, created } = await api.registerWorkflow(plan);
      const living = await agents.list();
      const all = living === undefined ? warnings : [...warnings, ...missingHandlers(plan, living)];
      reply.code(created ? 201 : 200);
      return { ...view, created, ...(all.length > 0 && { warnings: [...all] }) };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/workflows',
    schema: {
      summary: 'List workflows',
      tags: ['workflows'],
      querystring: pageQueryZ,
      response: { 200: workflowListZ, ...problemAnswer },
    },
    handler: (request) => api.listWorkflows(pageOf(request.query)),
  });

  app.route({
    method: 'GET',
    url: '/v1/workflows/:name',
    schema: {
      summary: 'Read a workflow with its definition',
      description: 'Without `version`: the one registered last.',
      tags: ['workflows'],
      params: z.object({ name: idZ }),
      querystring: z.strictObject({ version: versionZ.optional() }),
      response: { 200: workflowViewZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { name } = request.params;
      const { version } = request.query;
      const view = await api.readWorkflow(name, version);
      if (view === undefined) throw workflowNotFound(name, version);
      return view;
    },
  });

  app.route({
    method: 'DELETE',
    url: '/v1/workflows/:name',
    schema: {
      summary: 'Delete a workflow',
      description:
        'One version, or all without `version`. Runs keep the definition that they began with; no new one can be started by the name. ' +
        'When the latest version goes, the one registered before it is the latest. Deleting again answers `deleted: 0`.',
      tags: ['workflows'],
      params: z.object({ name: idZ }),
      querystring: z.strictObject({ version: versionZ.optional() }),
      response: { 200: workflowDeletedZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { name } = request.params;
      const { version } = request.query;
      const deleted = await api.deleteWorkflow(name, version);
      return { name, ...(version !== undefined && { version }), deleted };
    },
  });
}

/** The document of a body that wraps it, or the body itself. */
function documentOf(body: Record<string, unknown>): unknown {
  return body['steps'] === undefined && body['definition'] !== undefined ? body['definition'] : body;
}
