import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findSyntaxError } from './find-syntax-error.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla load# '));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test('a syntax error in a module with handlers is told with its file and line', () => {
  const path = file('handlers.mjs', 'const a = 1;\n\nexport const b = {;\n');
  expect(findSyntaxError(path)).toMatch(/handlers\.mjs, line 3$/);
});

test('so is one in a file that the module imports', () => {
  file('inner.mjs', '\nexport const = 1;\n');
  const path = file('outer.mjs', "import { c } from './inner.mjs';\nexport const d = c;\n");
  expect(findSyntaxError(path)).toMatch(/inner\.mjs, line 2$/);
});

test('a module without one has no such place', () => {
  expect(findSyntaxError(file('good.mjs', 'export const a = 1;\n'))).toBeUndefined();
  expect(findSyntaxError(join(folder, 'nowhere.mjs'))).toBeUndefined();
});

test('a worker that cannot load its handlers for one says where it is', () => {
  const path = file('wrong.mjs', '\n\nexport const b = {;\n');
  const own = new URL('load-handlers.ts', import.meta.url).href;
  const script = `const { loadHandlers } = await import(${JSON.stringify(own)});
    await loadHandlers([${JSON.stringify(path)}], 5000).catch((error) => console.log(error.message));`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = ['--conditions=@flotilla/source', '--input-type=module', '-e', script];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8', env })).toMatch(
    /^The handlers cannot be used:\n {2}.*wrong\.mjs: SyntaxError: .*wrong\.mjs, line 3\)/m,
  );
});
