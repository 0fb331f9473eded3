import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ENVIRONMENT_NAMES, FLAG_NAMES, FLAGS } from '@flotilla/contracts';
import { environmentZ as dashboardZ } from '@flotilla/dashboard';
import { environmentZ as schedulerZ } from '@flotilla/scheduler';
import { environmentZ as workerZ } from '@flotilla/worker';
import { describe, expect, test } from '@jest/globals';
import { codeIn, project, read, type Table, tablesOf } from './markdown.ts';

const DOCUMENT = 'docs/reference/configuration.md';
const tables = tablesOf(read(DOCUMENT));
const isVariables = ({ header }: Table) => header[0] === 'Variable';

describe.each([
  ['Scheduler', schedulerZ],
  ['Worker', workerZ],
  ['Dashboard', dashboardZ],
] as const)('the table of the %s', (heading, schema) => {
  const [table] = tables.filter((each) => each.heading === heading && isVariables(each));
  const rows = table!.rows.map(([name, standard, takes]) => ({
    name: codeIn(name!),
    standard: standard!,
    takes: takes!,
  }));
  const field = (name: string) =>
    (schema.shape as Record<string, { safeParse: (value: unknown) => { success: boolean; data?: unknown } }>)[name]!;

  test('has the variables of the schema in its order', () => {
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(schema.shape));
  });

  test.each(rows)('says the default of $name', ({ name, standard }) => {
    const said = standard === '–' ? '' : codeIn(standard);
    expect(field(name).safeParse(undefined)).toEqual(field(name).safeParse(said));
    expect(field(name).safeParse(undefined).success).toBe(true);
  });

  const numbers = rows.flatMap((row) => {
    const range = /^whole number (\d+) to (\d+)$/.exec(row.takes);
    return range === null ? [] : [{ ...row, least: Number(range[1]), most: Number(range[2]) }];
  });

  test.each(numbers)('says the limits of $name', ({ name, least, most }) => {
    const takes = (value: number) => field(name).safeParse(String(value)).success;
    expect([least - 1, least, most, most + 1].map(takes)).toEqual([false, true, true, false]);
  });

  test('calls every number a number', () => {
    const parsed = schema.parse({}) as Record<string, unknown>;
    const inSchema = Object.keys(parsed).filter((name) => typeof parsed[name] === 'number');
    expect(numbers.map(({ name }) => name)).toEqual(inSchema);
  });
});

test('every variable that a source names is in the document, and the other way round', () => {
  const inSources = namesIn(sources());
  const documented = new Set(tables.filter(isVariables).flatMap(({ rows }) => rows.map(([name]) => codeIn(name!))));
  expect([...documented].sort()).toEqual([...inSources].sort());
});

test('every variable that a source names is one that the programs know, and the other way round', () => {
  const inSources = namesIn(sources());
  inSources.delete('REDIS_URL');
  expect([...ENVIRONMENT_NAMES].sort()).toEqual([...inSources].sort());
});

const constants = [DOCUMENT, 'docs/reference/definition.md'].flatMap((document) =>
  tablesOf(read(document))
    .filter(({ header }) => header[0] === 'Value')
    .flatMap(({ rows }) => rows)
    .map(([value, name, where]) => ({
      value: Number(/^\d+/.exec(value!)?.[0]),
      name: codeIn(name!),
      where: codeIn(where!),
    })),
);

test.each(constants)('$name is what the document says', ({ value, name, where }) => {
  const written = new RegExp(`\\b${name} = ([\\d_]+);`).exec(read(where))?.[1];
  expect(Number(written?.replaceAll('_', ''))).toBe(value);
});

function namesIn(paths: readonly string[]): Set<string> {
  return new Set(paths.flatMap((path) => read(path).match(/\bFLOTILLA_[A-Z_]*[A-Z]\b|\bREDIS_URL\b/g) ?? []));
}

/** What runs: no tests, which set variables of their own making, and no documents. */
function sources(): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(join(project, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!['node_modules', 'dist', 'docs'].includes(entry.name)) visit(path);
      } else if (
        /\.(ts|mjs|js)$/.test(entry.name) &&
        !/write-reference|api-document|environment-names/.test(entry.name)
      )
        found.push(path);
    }
  };
  for (const top of ['packages', 'apps', 'infra', 'tests', 'examples']) visit(top);
  return found;
}

test('every feature flag is in the table of flags, and no other', () => {
  const section = read('docs/reference/configuration.md').split('## Feature flags')[1]!.split('\n## ')[0]!;
  const listed = [...section.matchAll(/^\| `([\w-]+)` \| (runs|the fleet) \|/gm)].map(([, name, scope]) => [
    name,
    scope,
  ]);
  expect(listed).toEqual(FLAG_NAMES.map((name) => [name, FLAGS[name].scope === 'run' ? 'runs' : 'the fleet']));
});
