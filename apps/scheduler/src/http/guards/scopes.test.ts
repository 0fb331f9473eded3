import { afterEach, describe, expect, test } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { startTestServer } from '../testing/start-test-server.ts';
import { hidePayloads } from './hide-payloads.ts';

const FULL = 'full-key-of-the-tests';
const SCOPED = {
  read: 'read:reader-key-of-the-tests',
  'read+submit': 'read+submit:sender-key-of-tests',
  'read+operate': 'read+operate:oncall-key-of-tests',
};
const secretOf = (entry: string) => entry.slice(entry.indexOf(':') + 1);

let server: { app: FastifyInstance } | undefined;
afterEach(async () => {
  await server?.app.close();
  server = undefined;
});

async function statusOf(key: string, method: 'GET' | 'POST', url: string): Promise<number> {
  server ??= await startTestServer({ apiKeys: [FULL, ...Object.values(SCOPED)] });
  const headers = { authorization: `Bearer ${key}` };
  const answer = await server.app.inject({ method, url, headers, ...(method === 'POST' ? { payload: {} } : {}) });
  return answer.statusCode;
}

const READS = ['/v1/runs', '/v1/agents', '/v1/breakers', '/v1/flags', '/v1/dead-letters', '/metrics'];
const SUBMITS = ['/v1/runs', '/v1/runs/batch', '/v1/workflows', '/v1/validate'];
const OPERATES = [
  '/v1/runs/00-x/cancel',
  '/v1/runs/00-x/retry',
  '/v1/runs/00-x/pause',
  '/v1/dead-letters/redrive',
  '/v1/breakers/b/open',
];

describe('a key with scopes', () => {
  test.each(Object.entries(SCOPED))('%s may do what they say, and is refused the rest', async (scopes, entry) => {
    const key = secretOf(entry);
    for (const url of READS) expect([url, await statusOf(key, 'GET', url)]).not.toEqual([url, 403]);
    for (const url of SUBMITS) {
      expect([url, (await statusOf(key, 'POST', url)) === 403]).toEqual([url, !scopes.includes('submit')]);
    }
    for (const url of OPERATES) {
      expect([url, (await statusOf(key, 'POST', url)) === 403]).toEqual([url, !scopes.includes('operate')]);
    }
  });

  test('a key without scopes may do everything, and the text before the colon is no part of a key', async () => {
    for (const url of [...SUBMITS, ...OPERATES]) expect(await statusOf(FULL, 'POST', url)).not.toBe(403);
    expect(await statusOf(SCOPED.read, 'GET', '/v1/runs')).toBe(401);
  });
});

describe('what runs carry', () => {
  const HIDDEN = { hidden: { bytes: 12, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } };

  test('is shown by size and hash, wherever it stands', () => {
    const run = {
      runId: 'r',
      input: { secret: 1 },
      steps: [{ stepId: 'a', output: { secret: 1 } }],
      error: { message: 'm' },
    };
    expect(hidePayloads(run)).toEqual({
      runId: 'r',
      input: HIDDEN,
      steps: [{ stepId: 'a', output: HIDDEN }],
      error: { message: 'm' },
    });
  });

  test('is not what a definition says', () => {
    const workflow = { name: 'w', definition: { input: { type: 'object' }, steps: { a: { input: {} } } } };
    expect(hidePayloads(workflow)).toEqual(workflow);
  });

  test('is what an approval proposes, and not what a bulk job does', () => {
    expect(hidePayloads({ action: { secret: 1 } }, '/v1/approvals/:id')).toEqual({ action: HIDDEN });
    expect(hidePayloads({ action: 'cancel' }, '/v1/bulk')).toEqual({ action: 'cancel' });
  });
});
