import swagger from '@fastify/swagger';
import * as contracts from '@flotilla/contracts';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HttpApp } from './http-context.ts';

/** Schemas that the document names once and refers to. */
const schemaRegistry = z.registry<{ id: string }>();
schemaRegistry.add(contracts.runViewZ, { id: 'Run' });
schemaRegistry.add(contracts.stepViewZ, { id: 'Step' });
schemaRegistry.add(contracts.historyEventZ, { id: 'HistoryEvent' });
schemaRegistry.add(contracts.checkpointViewZ, { id: 'Checkpoint' });
schemaRegistry.add(contracts.agentViewZ, { id: 'Agent' });
schemaRegistry.add(contracts.workflowViewZ, { id: 'Workflow' });
schemaRegistry.add(contracts.runStartedZ, { id: 'RunStarted' });
schemaRegistry.add(contracts.problemDocumentZ, { id: 'Problem' });

/** Before the routes: collects their schemas into an OpenAPI 3.1 document. */
export async function collectOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Flotilla',
        version: '1',
        description: 'Durable multi-step workflows. Errors are RFC 9457 problem documents with a stable `code`.',
      },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
      security: [{ apiKey: [] }, {}],
    },
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry }),
  });
}

export function registerOpenApiRoute(app: HttpApp): void {
  let text: string | undefined;
  app.route({
    method: 'GET',
    url: '/openapi.json',
    schema: { hide: true },
    handler: async (_request, reply) => {
      text ??= JSON.stringify(app.swagger());
      reply.header('content-type', 'application/json; charset=utf-8');
      return reply.send(text);
    },
  });
}
