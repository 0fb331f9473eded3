import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DUE } from '@flotilla/state';
import { describe, expect, test } from '@jest/globals';
import { blocksOf, codeIn, project, read, tablesOf } from './markdown.ts';

const text = read('ARCHITECTURE.md');
const tables = tablesOf(text);
const entriesOf = (folder: string) => readdirSync(join(project, folder)).sort();
const LUA = 'packages/state/lua/transitions';

test('the house is drawn as it stands', () => {
  const [house] = blocksOf(text).filter(({ text: drawing }) => drawing.startsWith('apps/'));
  const drawn: string[] = [];
  let top = '';
  for (const line of house!.text.split('\n')) {
    if (/^\w+\/$/.test(line)) top = line;
    const name = /^ {2}([\w-]+)\/ /.exec(line)?.[1];
    if (name !== undefined) drawn.push(`${top}${name}`);
  }
  expect(drawn.sort()).toEqual(
    ['apps', 'packages'].flatMap((folder) => entriesOf(folder).map((name) => `${folder}/${name}`)),
  );
});

test('every transition is listed with its file', () => {
  const listed = tables
    .find(({ heading }) => heading === 'Transitions')!
    .rows.map(([file, names]) => [codeIn(file!), names!.match(/[a-z-]+/g)]);
  const written = entriesOf(LUA).flatMap((file) => {
    const names = Array.from(read(join(LUA, file)).matchAll(/^T\['([a-z-]+)'\]/gm), ([, name]) => name!);
    return names.length === 0 ? [] : [[file, names] as const];
  });
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(written));
});

test('every letter of the due index is explained', () => {
  const explained = tables.find(({ header }) => header[0] === 'Letter')!.rows.map(([letter]) => codeIn(letter!));
  expect(explained.sort()).toEqual(Object.values(DUE).sort());
});

describe('every loop is listed', () => {
  const listed = tables.find(({ header }) => header[0] === 'Loop')!.rows.map(([name]) => codeIn(name!));
  const files = entriesOf('apps/scheduler/src/loops').filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'loop.ts',
  );
  test.each(files)('%s', (file) => {
    const name = /name: '([a-z-]+)'/.exec(read(join('apps/scheduler/src/loops', file)))?.[1];
    expect(listed).toContain(name ?? file);
  });
});

test('every decision is in the list of decisions', () => {
  const files = entriesOf('docs/adr').filter((file) => /^\d{4}-/.test(file));
  const index = read('docs/adr/README.md');
  for (const file of files) {
    expect(index).toContain(`](${file})`);
    const decision = read(join('docs/adr', file));
    for (const heading of ['Context', 'Decision', 'Alternatives', 'Consequences', 'Evidence'])
      expect(decision).toContain(`## ${heading}`);
  }
});
