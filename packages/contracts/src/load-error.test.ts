import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla load# '));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What Node itself says of a module that it loads, in our words. */
function loadErrorOf(file: string, text: string): string {
  writeFileSync(join(folder, file), text);
  const own = new URL('load-error.ts', import.meta.url).href;
  const url = JSON.stringify(new URL(`file://${encodeURI(folder).replaceAll('#', '%23')}/${file}`).href);
  const script = `const { describeLoadError } = await import(${JSON.stringify(own)});
    await import(${url}).catch((error) => console.log(describeLoadError(error, ${JSON.stringify(folder)})));`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env }).trim();
}

test.each([
  [
    'handlers.cjs',
    'const a = 1;\nconst a = 2;\n',
    "SyntaxError: Identifier 'a' has already been declared (handlers.cjs, line 2)",
  ],
])('a syntax error in %s is told with its file and line', (file, text, expected) => {
  expect(loadErrorOf(file, text)).toBe(expected);
});

test('a syntax error in TypeScript is told with its file and line', () => {
  expect(loadErrorOf('handlers.ts', 'const a: number = 1;\nexport const b: = 2;\n')).toMatch(
    /\(handlers\.ts, line 2\)$/,
  );
});

test('what a module throws is told as it is', () => {
  expect(loadErrorOf('throws.mjs', 'throw new TypeError("on purpose");')).toMatch(/^TypeError: on purpose/);
});
