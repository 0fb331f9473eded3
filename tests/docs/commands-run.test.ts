import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fleet, spawnNode, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { blocksOf, documents, project, read } from './markdown.ts';

/** Files with handlers that documents start a fleet with; here one fleet has all of them. */
const HANDLERS = [
  'examples/first-workflow/src/handlers.ts',
  'examples/order-fulfilment/src/handlers.ts',
  'examples/research-agents/src/agents.ts',
];
/** Commands of a document that need nothing but the project and a fleet. */
const RUNNABLE = /^(\.\/flotilla (?!up|bench|chaos|--help)|node_modules\/\.bin\/node examples\/)/;
const COMMAND_MS = 20_000;

const commandsOf = (document: string): string[] =>
  blocksOf(read(document))
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n'))
    .filter((line) => RUNNABLE.test(line));
const runnable = documents().flatMap((document) => {
  const commands = commandsOf(document);
  return commands.length === 0 ? [] : [[document, commands] as const];
});

let fleet: Fleet;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-docs-'));
  const handlers = HANDLERS.map((file) => join(project, file)).join(',');
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workerEnv: { FLOTILLA_HANDLERS: handlers } });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
  await rm(folder, { recursive: true });
});

test('the guide and the examples have commands to run', () => {
  expect(runnable.map(([document]) => document)).toEqual(
    expect.arrayContaining(['README.md', 'docs/guides/first-workflow.md', 'examples/montage/README.md']),
  );
});

test.each(runnable)(
  'the commands of %s work in the order in which they stand',
  async (_document, commands) => {
    let runId: string | undefined;
    for (const command of commands) {
      const { code, stdout, stderr } = await run(command.replace(/\bRUN\b/, () => runId ?? 'RUN'));
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' });
      if (/ run |start\.ts/.test(command)) runId = /^\S+/.exec(stdout)?.[0];
    }
  },
  180_000,
);

async function run(command: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const [program, ...words] = Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!);
  const isCli = program === './flotilla';
  const file = isCli ? join(project, 'packages/cli/src/main.ts') : join(project, words.shift()!);
  // What a command writes does not stay in the project.
  const args = words.map((word) => (word === 'montage.json' ? join(folder, word) : word));
  const env = { FLOTILLA_URL: fleet.url, FLOTILLA_API_KEY: undefined, REDIS_URL: fleet.redisUrl };
  const namespace = { FLOTILLA_NAMESPACE: fleet.namespace };
  const child = await spawnNode(file, args, { cwd: project, env: { ...env, ...namespace } });
  const limit = setTimeout(() => void child.kill9(), COMMAND_MS);
  const { code } = await child.exited;
  clearTimeout(limit);
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}
