import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileWorkflow } from '@flotilla/engine';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { runCreate } from './create.ts';
import { COMPILER, ZOD } from './dependencies.ts';
import { TEMPLATES } from './templates.ts';
import type { Terminal } from './terminal.ts';

const SCHEMA_LINE =
  /^# yaml-language-server: \$schema=(\.\.\/)?node_modules\/flotilla\/packages\/contracts\/schema\/workflow\.schema\.json\n/;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-create-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  code: number;
  stdout: string;
  stderr: string;
}

async function create(line: string, world: Partial<Terminal> = {}): Promise<Told> {
  const told: Told = { code: -1, stdout: '', stderr: '' };
  told.code = await runCreate(line.split(' ').filter(Boolean), {
    write: (text) => {
      told.stdout += text;
    },
    writeError: (text) => {
      told.stderr += text;
    },
    ask: undefined,
    cwd: folder,
    env: {},
    nodeVersion: 'v24.0.0',
    ...world,
  });
  return told;
}

const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const everything = () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

describe.each(Object.entries(TEMPLATES))('the template %s', (name, template) => {
  test('gives handlers, a workflow that compiles with its schema for editors, and instructions', async () => {
    writeFileSync(join(folder, 'package.json'), '{}');
    const target = template.adds === true ? '.' : 'made';
    expect(await create(`${target} --template ${name} --yes`)).toMatchObject({ code: 0, stderr: '' });
    const text = read(join(target, template.workflow));
    expect(text).toMatch(SCHEMA_LINE);
    expect(compileWorkflow(parse(text))).toMatchObject({ ok: true, warnings: [] });
    const files = everything().map((path) => path.replace('made/', ''));
    expect(files).toEqual(expect.arrayContaining([template.handlers]));
    expect(files.filter((path) => path.endsWith('AGENTS.md'))).toHaveLength(1);
    expect(files.filter((path) => /\.test\.ts$|check\.mjs$/.test(path))).toHaveLength(1);
  });
});

test('a new project has scripts, a .gitignore and a name that npm takes', async () => {
  await create('My_First/Ünder-Way --yes');
  const manifest = JSON.parse(read('My_First/Ünder-Way/package.json'));
  expect(manifest).toMatchObject({ name: 'nder-way', type: 'module', dependencies: { flotilla: '^0.1.0' } });
  expect(Object.keys(manifest.scripts)).toEqual(['dev', 'start', 'test', 'worker', 'typecheck']);
  expect(read('My_First/Ünder-Way/.gitignore')).toContain('.flotilla/');
});

test('a folder with files is refused and stays as it is; one with .git alone is not', async () => {
  mkdirSync(join(folder, 'full'));
  writeFileSync(join(folder, 'full', 'thesis.txt'), 'years of work');
  mkdirSync(join(folder, 'fresh', '.git'), { recursive: true });
  const { code, stdout } = await create('full --json');
  expect({ code, answer: JSON.parse(stdout) }).toMatchObject({
    code: 2,
    answer: { error: { code: 'CREATE_REFUSED', problems: [{ code: 'FOLDER_NOT_EMPTY' }] } },
  });
  expect(everything()).toEqual(['fresh', 'fresh/.git', 'full', 'full/thesis.txt']);
  expect(await create('fresh --yes')).toMatchObject({ code: 0 });
});

test('all problems are told at once, and nothing is made', async () => {
  const line = 'one two --tmplate=agents --template=none --packages=nowhere --json';
  const { code, stdout } = await create(line, { nodeVersion: 'v20.19.0' });
  const { problems } = JSON.parse(stdout).error as { problems: { code: string }[] };
  const codes = ['NODE_TOO_OLD', 'UNKNOWN_OPTION', 'TOO_MANY_ARGUMENTS', 'NO_PACKAGES', 'NO_PACKAGES'];
  expect({ code, codes: problems.map((each) => each.code) }).toEqual({
    code: 2,
    codes: [...codes, 'UNKNOWN_TEMPLATE'],
  });
  expect(everything()).toEqual([]);
});

test('what a project has stays when something is added to it', async () => {
  const dependencies = { zod: '^4.0.0' };
  const before = { name: 'theirs', scripts: { dev: 'vite' }, dependencies, extra: [1] };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(before, undefined, '\t'));
  expect(await create('--template existing')).toMatchObject({ code: 0 });
  const after = JSON.parse(read('package.json'));
  expect(after).toMatchObject(before);
  expect(Object.keys(after.scripts)).toEqual([
    'dev',
    ...['dev', 'start', 'test', 'worker'].map((name) => `flotilla:${name}`),
  ]);
  expect(read('package.json')).toContain('\n\t"scripts"');
});

test('files and scripts in the way are told, and neither they nor the manifest are touched', async () => {
  const manifest = '{ "scripts": { "flotilla:dev": "other" } }';
  writeFileSync(join(folder, 'package.json'), manifest);
  mkdirSync(join(folder, 'flotilla'));
  writeFileSync(join(folder, 'flotilla', 'welcome.yaml'), 'theirs');
  const { code, stderr } = await create('--template existing');
  expect(code).toBe(2);
  expect(stderr).toMatch(/package\.json: it has another script flotilla:dev\n.*welcome\.yaml: there is such a file/);
  expect([read('package.json'), read('flotilla/welcome.yaml')]).toEqual([manifest, 'theirs']);
  expect(everything()).toEqual(['flotilla', 'flotilla/welcome.yaml', 'package.json']);
});

test('when the last file cannot be written, those before it are removed again', async () => {
  writeFileSync(join(folder, 'package.json'), '{}');
  mkdirSync(join(folder, 'package.json.new'));
  expect(await create('--template existing')).toMatchObject({ code: 1, stdout: '' });
  expect(everything()).toEqual(['package.json', 'package.json.new']);
});

test('a person is asked for what the flags leave open, and nobody with --yes', async () => {
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return question.startsWith('Template') ? 'agents' : 'here';
  };
  expect(await create('', { ask })).toMatchObject({ code: 0 });
  expect(read('here/research.yaml')).toContain('capability: planning');
  expect(await create('there --yes', { ask })).toMatchObject({ code: 0 });
  expect(questions).toHaveLength(2);
});

test.each([
  ['npm 10', 'made', { npm_config_template: 'agents', npm_config_yes: 'true' }],
  ['npm 11', 'made agents', { npm_config_template: 'true', npm_config_yes: 'true' }],
])('options that %s has kept for itself are found in the environment', async (_npm, line, env) => {
  expect(await create(line, { env, ask: () => Promise.reject(new Error('asked')) })).toMatchObject({ code: 0 });
  expect(read('made/research.yaml')).toContain('capability: planning');
});

test('created projects depend on what this project is tested with', () => {
  const workspace = parse(readFileSync(new URL('../../../pnpm-workspace.yaml', import.meta.url), 'utf8'));
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  const versions = {
    ...workspace.catalog,
    ...manifest.devDependencies,
    '@types/node': workspace.catalog['@types/node'],
  };
  for (const [name, range] of Object.entries({ ...ZOD, ...COMPILER })) expect(range).toBe(`^${versions[name]}`);
});
