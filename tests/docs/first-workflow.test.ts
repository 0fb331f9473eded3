import { join } from 'node:path';
import { type Fleet, spawnNode, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { project, read } from './markdown.ts';

const EXAMPLE = 'examples/first-workflow';
let fleet: Fleet;

beforeAll(async () => {
  const handlers = join(project, EXAMPLE, 'src/handlers.ts');
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workerEnv: { FLOTILLA_HANDLERS: handlers } });
}, 60_000);

afterAll(async () => {
  await fleet.stop();
});

test('the workflow of the README runs from the command line', async () => {
  const cli = await spawnNode(
    join(project, 'packages/cli/src/main.ts'),
    ['run', `${EXAMPLE}/invoice.yaml`, '--input', `@${EXAMPLE}/order.json`, '--wait', '--json'],
    { cwd: project, env: { FLOTILLA_URL: fleet.url, FLOTILLA_API_KEY: undefined } },
  );
  const { code } = await cli.exited;
  expect({ code, stderr: cli.stderr() }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(cli.stdout())).toMatchObject({ status: 'succeeded', output: { total: 570, payInAdvance: false } });
}, 30_000);

test('the program of the guide gives the same run twice', async () => {
  const outputs: string[] = [];
  for (const _time of [1, 2]) {
    const program = await spawnNode(join(project, EXAMPLE, 'src/start.ts'), [], { env: { FLOTILLA_URL: fleet.url } });
    const { code } = await program.exited;
    expect({ code, stderr: program.stderr() }).toEqual({ code: 0, stderr: '' });
    outputs.push(program.stdout());
  }
  expect(outputs[0]).toMatch(/^\S+ succeeded \{.*"total":530/);
  expect(outputs[1]).toBe(outputs[0]);
}, 30_000);

test('the example of the README is its whole file but for the line that editors read', () => {
  const [, ...rest] = read(`${EXAMPLE}/invoice.yaml`).split('\n');
  expect(read('README.md')).toContain(rest.join('\n'));
});
