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
schemaRegistry.add(contracts.deadLetterViewZ, { id: 'DeadLetter' });
schemaRegistry.add(contracts.bulkDeadLettersDoneZ, { id: 'BulkDeadLettersDone' });
schemaRegistry.add(contracts.errorGroupZ, { id: 'ErrorGroup' });
schemaRegistry.add(contracts.runCountsZ, { id: 'RunCounts' });
schemaRegistry.add(contracts.runLedgerZ, { id: 'RunLedger' });
schemaRegistry.add(contracts.runComparisonZ, { id: 'RunComparison' });
schemaRegistry.add(contracts.reportZ, { id: 'Report' });
schemaRegistry.add(contracts.workflowViewZ, { id: 'Workflow' });
schemaRegistry.add(contracts.workflowRegisteredZ, { id: 'WorkflowRegistered' });
schemaRegistry.add(contracts.runStartedZ, { id: 'RunStarted' });
schemaRegistry.add(contracts.problemDocumentZ, { id: 'Problem' });

const toComponents = createJsonSchemaTransformObject({ schemaRegistry });

interface OpenApiDocument {
  paths?: object;
  components?: { schemas?: Record<string, unknown> };
}

const SCHEMA_REF = /^#\/components\/schemas\/([A-Za-z]+)$/;

/**
 * Leaves only what the document needs. Every schema comes as what may be sent and as what is answered: only the form that
 * something refers to is kept. Free JSON comes as references to a recursive schema that is not in the document: it
 * becomes the empty schema, which says the same.
 */
function tidy(document: OpenApiDocument): void {
  const schemas = document.components?.schemas ?? {};
  const used = new Set<string>();
  const open: unknown[] = [document.paths];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    const node = value as Record<string, unknown>;
    delete node['$defs'];
    const name = SCHEMA_REF.exec(String(node['$ref']))?.[1];
    if (name === undefined) {
      delete node['$ref'];
    } else if (!used.has(name)) {
      used.add(name);
      open.push(schemas[name]);
    }
    open.push(...Object.values(node));
  }
  for (const name of Object.keys(schemas)) if (!used.has(name)) delete schemas[name];
}

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
    transformObject: (given) => {
      const document = toComponents(given);
      tidy(document as OpenApiDocument);
      return document;
    },
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
