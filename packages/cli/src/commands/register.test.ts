import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { commandLine } from '../testing/command-line.ts';
import { type FakeAnswer, problemAnswer } from '../testing/fake-scheduler.ts';

const ECHO = { flotilla: 1, name: 'echo', version: '1.0.0', steps: { a: { kind: 'task', use: 'flotilla.echo' } } };
const PLAIN = { flotilla: 1, name: 'plain', steps: { a: { kind: 'delay', forMs: 1 } } };

let folder: string;
const shell = commandLine(() => folder);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-register-'));
  const files = {
    'echo.json': ECHO,
    'other-echo.json': { ...ECHO, title: 'another' },
    'plain.json': PLAIN,
    'bad.json': { ...ECHO, name: 'bad', steps: { a: { kind: 'task', use: 'x', needs: ['b', 'c'] } } },
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), JSON.stringify(content));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => shell.stop());

const valid: FakeAnswer = { body: { ok: true, problems: [] } };
const routes = {
  'POST /v1/validate': valid,
  'POST /v1/workflows': (_url: URL, body: unknown): FakeAnswer => {
    const { name, version } = (body as { definition: { name: string; version?: string } }).definition;
    return { status: 201, body: { name, version, definitionHash: 'ab', registeredAt: 1, created: true } };
  },
};

describe('register', () => {
  test('registers every file and says how to start a run', async () => {
    const { requests } = await shell.serve(routes);
    const { exitCode, stdout, stderr } = await shell.run(['register', 'echo.json', 'plain.json']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toBe('echo@1.0.0 registered\nplain registered\nstart a run with: ./flotilla run echo\n');
    const sent = requests.filter(({ what }) => what === 'POST /v1/workflows').map(({ body }) => body);
    expect(sent).toEqual([{ definition: ECHO }, { definition: PLAIN }]);
  });

  test('--json has an entry for each file', async () => {
    await shell.serve(routes);
    expect((await shell.run(['register', 'echo.json', 'plain.json', '--json'])).json()).toEqual({
      ok: true,
      workflows: [
        { file: 'echo.json', name: 'echo', version: '1.0.0', definitionHash: 'ab', created: true, problems: [] },
        { file: 'plain.json', name: 'plain', definitionHash: 'ab', created: true, problems: [] },
      ],
    });
  });

  test('says that a content was registered before', async () => {
    const body = { ...ECHO, definitionHash: 'ab', registeredAt: 1, created: false };
    await shell.serve({ ...routes, 'POST /v1/workflows': { body } });
    const { exitCode, stdout } = await shell.run(['register', 'echo.json']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^echo@1\.0\.0 was registered before with this content\n/);
  });

  test('tells all problems of all files at once, and asks and stores nothing', async () => {
    const { requests } = await shell.serve(routes);
    const args = ['register', 'echo.json', 'bad.json', 'nowhere.json', 'other-echo.json'];
    const { exitCode, stdout, stderr } = await shell.run(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('flotilla: bad.json: line 1: /steps/a/needs/0: ');
    expect(stderr).toContain('flotilla: bad.json: line 1: /steps/a/needs/1: ');
    expect(stderr).toContain('flotilla: nowhere.json: there is no file');
    expect(stderr).toContain('flotilla: other-echo.json: /version: echo@1.0.0 is in echo.json too');
    expect(stderr).toMatch(/flotilla: nothing was registered\n$/);
    expect(requests).toEqual([]);
    const { ok, workflows } = (await shell.run([...args, '--json'])).json();
    expect(ok).toBe(false);
    expect(workflows.map(({ problems }: { problems: unknown[] }) => problems.length)).toEqual([0, 2, 1, 1]);
  });

  test('stores nothing when the scheduler finds a problem, and repeats its warnings', async () => {
    const warning = { code: 'HANDLER_NOT_AVAILABLE', path: '/steps/a/use', message: 'nobody', severity: 'warning' };
    const error = { code: 'INPUT_SCHEMA_INVALID', path: '/input/type', message: 'is no type' };
    const answer = (problems: object[]): FakeAnswer => ({ body: { ok: problems.length < 2, problems } });
    const { requests } = await shell.serve({ ...routes, 'POST /v1/validate': answer([warning, error]) });
    expect((await shell.run(['register', 'echo.json'])).exitCode).toBe(2);
    expect(requests.map(({ what }) => what)).toEqual(['POST /v1/validate']);
    await shell.serve({ ...routes, 'POST /v1/validate': answer([warning]) });
    const warned = await shell.run(['register', 'echo.json']);
    expect(warned.exitCode).toBe(0);
    expect(warned.stderr).toBe('flotilla: echo.json: warning: /steps/a/use: nobody\n');
  });

  test('a version that exists with another content is a problem of its file, and others are registered', async () => {
    const conflict = problemAnswer(409, 'WORKFLOW_VERSION_CONFLICT', 'echo 1.0.0 exists with another content');
    await shell.serve({
      ...routes,
      'POST /v1/workflows': (url, body) =>
        (body as { definition: { name: string } }).definition.name === 'echo'
          ? conflict
          : routes['POST /v1/workflows'](url, body),
    });
    const { exitCode, stdout, stderr } = await shell.run(['register', 'echo.json', 'plain.json']);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('plain registered\n');
    expect(stderr).toBe('flotilla: echo.json: /version: echo 1.0.0 exists with another content\n');
  });

  test('without a scheduler ends with 3', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { exitCode, stderr } = await shell.run(['register', 'echo.json', '--url', url]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('flotilla up');
  }, 15_000);
});
