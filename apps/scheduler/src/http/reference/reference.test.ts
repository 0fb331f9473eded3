import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { startTestServer } from '../testing/start-test-server.ts';
import { renderReferencePages } from './reference-pages.ts';

describe('docs/reference', () => {
  test.each(['errors.md', 'http-api.md', 'metrics.md'])('%s is what the code says', async (name) => {
    const pages = await renderReferencePages();
    const written = readFileSync(new URL(`../../../../../docs/reference/${name}`, import.meta.url), 'utf8');
    expect(written).toBe(pages[name]);
  });
});

describe('/openapi.json', () => {
  test('is OpenAPI 3.1, names every resource and refers only to what it defines', async () => {
    const server = await startTestServer();
    const { body, text } = await server.send('GET', '/openapi.json');
    await server.app.close();
    expect(body['openapi']).toBe('3.1.0');
    const { schemas } = body['components'] as { schemas: Record<string, unknown> };
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"/]+)/g)) expect(schemas).toHaveProperty([name!]);
    expect(Object.keys(body['paths'] as object).sort()).toEqual([
      '/healthz',
      '/metrics',
      '/readyz',
      '/v1/access',
      '/v1/agents',
      '/v1/agents/events',
      '/v1/approvals',
      '/v1/approvals/{id}',
      '/v1/breakers',
      '/v1/breakers/{name}/close',
      '/v1/breakers/{name}/open',
      '/v1/bulk',
      '/v1/bulk/{bulkId}',
      '/v1/bulk/{bulkId}/abort',
      '/v1/bulk/{bulkId}/items',
      '/v1/channels',
      '/v1/channels/{name}/messages',
      '/v1/cleanups/failed',
      '/v1/dead-letters',
      '/v1/dead-letters/discard',
      '/v1/dead-letters/redrive',
      '/v1/dead-letters/{runId}/{stepId}',
      '/v1/dead-letters/{runId}/{stepId}/discard',
      '/v1/dead-letters/{runId}/{stepId}/redrive',
      '/v1/errors',
      '/v1/errors/{fingerprint}/ignore',
      '/v1/errors/{fingerprint}/reopen',
      '/v1/errors/{fingerprint}/resolve',
      '/v1/events',
      '/v1/flags',
      '/v1/report',
      '/v1/runs',
      '/v1/runs/batch',
      '/v1/runs/{runId}',
      '/v1/runs/{runId}/cancel',
      '/v1/runs/{runId}/checkpoints',
      '/v1/runs/{runId}/cleanups',
      '/v1/runs/{runId}/cleanups/{number}/retry',
      '/v1/runs/{runId}/compare/{otherRunId}',
      '/v1/runs/{runId}/events',
      '/v1/runs/{runId}/history',
      '/v1/runs/{runId}/ledger',
      '/v1/runs/{runId}/logs',
      '/v1/runs/{runId}/pause',
      '/v1/runs/{runId}/resume',
      '/v1/runs/{runId}/retry',
      '/v1/runs/{runId}/signals/{name}',
      '/v1/runs/{runId}/steps',
      '/v1/runs/{runId}/steps/{stepId}/logs',
      '/v1/runs/{runId}/usage',
      '/v1/runs/{runId}/why',
      '/v1/validate',
      '/v1/webhooks/{runId}/{stepId}/{token}',
      '/v1/workflows',
      '/v1/workflows/{name}',
    ]);
  });
});
