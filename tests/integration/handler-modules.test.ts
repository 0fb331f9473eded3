import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { sharedRedis, spawnNode, testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const project = resolve(import.meta.dirname, '../..');
const namespace = testNamespace(import.meta.url);

let folder: string;
beforeAll(async () => {
  // Outside of the project: nothing that Flotilla has installed is found from there.
  folder = await realpath(await mkdtemp(join(tmpdir(), 'flotilla-handlers-')));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(path: string, text: string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

async function startWorker(handlers: string, env: Record<string, string> = {}) {
  return spawnNode(join(project, 'apps/worker/src/main.ts'), [], {
    cwd: folder,
    env: { REDIS_URL: sharedRedis().url, FLOTILLA_NAMESPACE: namespace, FLOTILLA_HANDLERS: handlers, ...env },
  });
}

/** How many handlers a worker has beside the built-in ones. */
async function handlersOfWorker(handlers: string): Promise<number> {
  const worker = await startWorker(handlers);
  try {
    await worker.waitForLine(/"msg":"ready"|cannot be used/, 60_000);
    const ready = worker.lines.find((line) => line.includes('"msg":"ready"'));
    if (ready === undefined) throw new Error(worker.stderr());
    return Number(/"handlers":(\d+)/.exec(ready)?.[1]) - BUILT_IN;
  } finally {
    await worker.kill9();
  }
}
const BUILT_IN = 4;

const ESM = `
import { defineStep } from '@flotilla/steps';
import { z } from 'zod';
export const charge = defineStep({ name: 'charge', input: z.object({}), run: () => 1 });
export function total(list) { return list.length; }
export class Basket {}
`;

const CJS = `
const { defineStep } = require('@flotilla/steps');
const steps = { charge: defineStep({ name: 'charge', run: () => 1 }), LIMIT: 3, total: () => 0 };
module.exports = Object.assign({}, steps, { classifyRules: [() => undefined] });
`;

describe('a module with handlers', () => {
  test('is used as it was copied: @flotilla/steps and zod are found, helpers and classes left alone', async () => {
    expect(await handlersOfWorker(await write('copied/handlers.mjs', ESM))).toBe(1);
  }, 90_000);

  test('may be a CommonJS module with constants, functions and rules', async () => {
    expect(await handlersOfWorker(await write('copied/handlers.cjs', CJS))).toBe(1);
  }, 90_000);

  test('may be a package of the folder in which the worker is started', async () => {
    await write(
      'node_modules/@acme/steps/package.json',
      '{ "name": "@acme/steps", "type": "module", "exports": { "import": "./main.js" } }',
    );
    await write('node_modules/@acme/steps/main.js', ESM);
    expect(await handlersOfWorker('@acme/steps')).toBe(1);
  }, 90_000);
});

describe('a module that cannot be loaded ends the worker with 2 and its name', () => {
  test.each([
    ['awaits for ever', 'await new Promise(() => undefined);', 'not loaded after 500 ms (FLOTILLA_HANDLERS_LOAD_MS)'],
    [
      'awaits for ever beside a timer',
      'setInterval(() => 0, 10); await new Promise(() => 0);',
      'not loaded after 500 ms',
    ],
    ['ends the process well', 'process.exit(0);', 'ended the process while it was loaded'],
    [
      'ends the process later',
      'setTimeout(() => process.exit(0), 10); await new Promise(() => 0);',
      'ended the process',
    ],
  ])(
    'when it %s',
    async (name, text, why) => {
      const file = await write(`${name}.mjs`, text);
      const worker = await startWorker(file, { FLOTILLA_HANDLERS_LOAD_MS: '500' });
      const { code } = await within(worker.exited, 60_000, 'the worker to end');
      expect(worker.stderr()).toContain(name);
      expect(worker.stderr()).toContain(why);
      expect(code).toBe(2);
    },
    90_000,
  );

  test('when its package is not there', async () => {
    const worker = await startWorker('@acme/missing');
    const { code } = await within(worker.exited, 60_000, 'the worker to end');
    expect(worker.stderr()).toContain('@acme/missing');
    expect(code).toBe(2);
  }, 90_000);
});

/** Every Node that there is: Node 20 among them where that is what the machine has. */
function nodes(): string[] {
  const found = execFileSync('sh', [
    '-c',
    'IFS=:; for folder in $PATH; do test -x "$folder/node" && echo "$folder/node"; done; true',
  ]);
  const paths = found.toString().trim().split('\n').filter(Boolean);
  return [...new Set([process.execPath, ...paths].map((path) => realpathSync(path)))];
}

/** What Node 20 has not: so that a newer one shows it, too. */
const LIKE_NODE_20 = `
delete URL.parse; delete Promise.withResolvers; delete Promise.try; delete Array.fromAsync; delete Set.prototype.union;
const { createRequire, syncBuiltinESMExports } = await import('node:module');
const zlib = createRequire(import.meta.url)('node:zlib');
delete zlib.createZstdDecompress;
syncBuiltinESMExports();
`;

describe('what authors and callers import', () => {
  test.each(nodes())(
    'loads and works on Node 20 and later: %s',
    async (node) => {
      const packages = join(project, 'packages');
      const script = `${LIKE_NODE_20}
      const { defineStep, defineWorkflow, handlersOf, builtInHandlers } = await import('${packages}/steps/dist/index.js');
      const { createClient } = await import('${packages}/client/dist/index.js');
      const { createServer } = await import('node:http');
      const charge = defineStep({ name: 'charge', run: () => 1 });
      const server = createServer((request, response) => {
        response.writeHead(request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ runId: 'r1', created: true, agents: [] }));
      }).listen(0, '127.0.0.1', async () => {
        const client = createClient({ url: 'http://127.0.0.1:' + server.address().port });
        const definition = defineWorkflow({ name: 'w', steps: { a: { kind: 'task', use: 'charge' } } });
        const { runId } = await client.start(definition, { input: {} });
        console.log([handlersOf({ charge }).length, builtInHandlers({ httpAllow: 'localhost:80' }).length, runId].join(' '));
        server.close();
        process.exit(0);
      });`;
      const file = join(folder, 'older.mjs');
      await writeFile(file, script);
      expect(execFileSync(node, [file], { encoding: 'utf8' }).trim()).toBe('1 4 r1');
    },
    60_000,
  );
});
