import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createClient, type FlotillaClient } from '@flotilla/client';
import { eventually, type StartedProcess, sharedRedis, spawnNode, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const main = resolve(import.meta.dirname, '../main.ts');

/** Says what its file has; with a `gate` it waits until that file is there. */
const HANDLERS = `
import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { defineStep } from '@flotilla/steps';
import { text } from './text.ts';
export const say = defineStep({
  name: 'dev.say',
  run: async ({ gate }, { attempt, signal }) => {
    while (gate !== undefined && !existsSync(gate)) await wait(20, undefined, { signal });
    return { text, attempt };
  },
});
`;
const WORKFLOW = {
  flotilla: 1,
  name: 'dev-say',
  version: '1.0.0',
  steps: { say: { kind: 'task', use: 'dev.say', input: '${{ run.input }}' } },
  output: '${{ steps.say.output }}',
} as const;

let folder: string;
let dev: StartedProcess;
let client: FlotillaClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-dev-'));
  await writeFile(join(folder, 'handlers.ts'), HANDLERS);
  await save('first');
  dev = await spawnNode(main, ['dev', '--handlers', 'handlers.ts', '--port', '0', '--no-dashboard'], {
    cwd: folder,
    env: {
      REDIS_URL: sharedRedis().url,
      FLOTILLA_LOGS: join(folder, 'logs'),
      FLOTILLA_NAMESPACE: testNamespace(import.meta.url),
    },
  });
  await dev.waitForLine(/Serving until Ctrl-C/, 60_000);
  client = createClient({ url: /(http:\S+)\/v1\/runs/.exec(dev.stdout())?.[1] ?? '' });
}, 90_000);

afterAll(async () => {
  await dev.stop(30_000);
  await rm(folder, { recursive: true });
}, 60_000);

function save(text: string): Promise<void> {
  return writeFile(join(folder, 'text.ts'), `export const text = ${JSON.stringify(text)};\n`);
}

const times = (pattern: RegExp) => dev.stdout().match(new RegExp(pattern, 'g'))?.length ?? 0;

/** Does it, and waits until `dev` says once more what it has come to. */
async function untilSaid(pattern: RegExp, action: () => Promise<void>): Promise<void> {
  const before = times(pattern);
  await action();
  await eventually(() => times(pattern) > before, { timeoutMs: 30_000 });
}

async function finished(input: Record<string, string> = {}): Promise<unknown> {
  const { runId } = await client.start(WORKFLOW, input);
  return (await client.wait(runId, { timeoutMs: 30_000 })).output;
}

test('a file that handlers import is saved: the next attempt has it', async () => {
  expect(await finished()).toEqual({ text: 'first', attempt: 1 });
  await untilSaid(/text\.ts changed: handlers reloaded/, () => save('second'));
  expect(await finished()).toEqual({ text: 'second', attempt: 1 });
}, 90_000);

test('an attempt under way ends with the code that it has begun with, and no attempt is charged or made twice', async () => {
  const gate = join(folder, 'gate');
  const { runId } = await client.start(WORKFLOW, { gate });
  await eventually(async () => (await client.agents()).some(({ load }) => load.running === 1), { timeoutMs: 30_000 });
  await untilSaid(/text\.ts changed: handlers reloaded/, () => save('third'));
  expect(await finished()).toEqual({ text: 'third', attempt: 1 });
  await writeFile(gate, '');
  expect((await client.wait(runId, { timeoutMs: 30_000 })).output).toEqual({ text: 'second', attempt: 1 });
  const types: string[] = [];
  for await (const { type } of client.allHistory(runId)) types.push(type);
  expect(types.filter((type) => /^attempt-/.test(type))).toEqual(['attempt-started', 'attempt-succeeded']);
}, 90_000);

test('code that cannot be loaded leaves the handlers from before at work, and is loaded once it is repaired', async () => {
  await untilSaid(/cannot be used; the handlers from before stay/, () =>
    writeFile(join(folder, 'text.ts'), 'export const text = ;\n'),
  );
  expect(await finished()).toEqual({ text: 'third', attempt: 1 });
  await untilSaid(/text\.ts changed: handlers reloaded/, () => save('fourth'));
  expect(await finished()).toEqual({ text: 'fourth', attempt: 1 });
}, 90_000);
