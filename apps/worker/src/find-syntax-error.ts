import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';

const MAX_FILES = 50;
const CHECK_MS = 5000;
const RELATIVE_IMPORT = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

/**
 * Where the syntax error of a module is, as `FILE, line N`: an ES module's error does not say, not even in its stack. Looks
 * at the module and at what it imports from beside it, each in a Node of its own that only reads it.
 */
export function findSyntaxError(module: string): string | undefined {
  const waiting = [resolve(module)];
  const seen = new Set(waiting);
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (!existsSync(path)) continue;
    const line = lineOfSyntaxError(path);
    if (line !== undefined) return `${relative(process.cwd(), path) || path}, line ${line}`;
    for (const [, specifier] of readFileSync(path, 'utf8').matchAll(RELATIVE_IMPORT)) {
      const imported = resolve(dirname(path), specifier ?? '');
      if (seen.has(imported) || seen.size >= MAX_FILES) continue;
      seen.add(imported);
      waiting.push(imported);
    }
  }
  return undefined;
}

function lineOfSyntaxError(path: string): string | undefined {
  const { status, stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8', timeout: CHECK_MS });
  if (status === 0 || !/^SyntaxError/m.test(stderr)) return undefined;
  return /^(?:file:\/\/)?\/[^\n]*:(\d+)\n/m.exec(stderr)?.[1];
}
