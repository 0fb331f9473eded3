/**
 * Rules of the house that the package graph cannot express. Prints every breach as file:line and ends with 1 when
 * there is one. The graph itself is checked by `turbo boundaries`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importsOf, lineAt, readSource } from './source-text.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Libraries that one package hides from all others; the benchmark compares with the plain library. */
const keptInside = [
  {
    module: '@flotilla/local-fleet',
    home: 'packages/local-fleet/',
    alsoIn: ['packages/checker/', 'packages/chaos/', 'packages/bench/', 'packages/testing/'],
  },
  { module: 'bullmq', home: 'packages/queue/', alsoIn: ['packages/bench/'] },
  { module: 'ioredis', home: 'packages/redis/', alsoIn: ['packages/bench/'] },
];

/** Files that one other file asks alone: what it decides would else be decided in several places. */
const askedByOne = [{ file: 'decide-retry.ts', asker: 'decide-end.ts' }];

/** Names through which the outside world comes in. The engine decides and gets clock and chance passed in. */
const impureNames = [
  ...['Date', 'performance', 'Temporal', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
  ...['process', 'console', 'fetch', 'WebSocket', 'XMLHttpRequest', 'crypto', 'globalThis', 'global', 'Worker', 'eval'],
];
const impureName = new RegExp(`(?<![\\w$.])(?:${impureNames.join('|')})(?![\\w$]|\\s*\\??:)`, 'g');
const chance = /\bMath\s*(?:\?\.|\.)\s*random\b|\bMath\s*\[/g;

/** Of Node's own modules only what computes; `createHash` is the one thing the engine takes from node:crypto. */
const pureNodeModules = ['node:crypto', 'node:util'];
const nodeModuleNames = /^(node:|(fs|net|http|https|os|path|child_process|worker_threads|timers|crypto|dns|tls)(\/|$))/;

const vagueFolder = /(^|\/)(utils?|common|helpers?|lib|libs|misc|shared)\//;

/**
 * @param {string} path relative to the project folder, with forward slashes
 * @param {string} source
 * @returns {{ path: string, line: number, problem: string }[]}
 */
export function breachesIn(path, source) {
  const { withoutComments, codeOnly } = readSource(source);
  const breaches = [];
  const report = (line, problem) => breaches.push({ path, line, problem });
  // What stands in a folder `testing` is for tests alone and not compiled.
  const isTest = /\.test\.[cm]?[jt]s$|\/src\/(?:.+\/)?testing\//.test(path) || path.startsWith('tests/');
  const isEngine = path.startsWith('packages/engine/src/') && !isTest;

  for (const { name, line } of importsOf(withoutComments)) {
    for (const { module, home, alsoIn } of keptInside) {
      if (name !== module && !name.startsWith(`${module}/`)) continue;
      if (![home, ...alsoIn].some((folder) => path.startsWith(folder)))
        report(line, `imports ${module}, which only ${home} may`);
    }
    for (const { file, asker } of askedByOne) {
      if (isTest || basename(name) !== file || basename(path) === asker) continue;
      report(line, `imports ${file}, which only ${asker} may`);
    }
    if (name === '@flotilla/testing' && !isTest && !path.startsWith('packages/testing/')) {
      report(line, 'imports @flotilla/testing outside a test');
    }
    if (isEngine && nodeModuleNames.test(name) && !pureNodeModules.includes(name)) {
      report(line, `the engine imports ${name}: it has no input and output`);
    }
  }
  if (isEngine) {
    for (const pattern of [impureName, chance]) {
      for (const match of codeOnly.matchAll(pattern)) {
        report(
          lineAt(codeOnly, match.index),
          `the engine uses ${match[0]}: clock, chance and the outside world are passed in`,
        );
      }
    }
    const random = /\brandom(?:UUID|Bytes|Int|FillSync|Fill)\b/g;
    for (const match of codeOnly.matchAll(random)) report(lineAt(codeOnly, match.index), `the engine uses ${match[0]}`);
  }
  if (vagueFolder.test(path)) report(1, 'stands in a folder whose name says nothing about its duty');
  return breaches;
}

/** Every source file of the project, relative to its folder. */
export function sourceFiles(projectDir = root) {
  const found = [];
  const skipped = new Set(['node_modules', 'dist', 'coverage']);
  const visit = (folder) => {
    for (const entry of readdirSync(join(projectDir, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!skipped.has(entry.name) && !entry.name.startsWith('.')) visit(path);
      } else if (/\.([cm]?[jt]s|[jt]sx)$/.test(entry.name)) found.push(path);
    }
  };
  for (const top of ['apps', 'packages', 'tests', 'examples']) if (existsSync(join(projectDir, top))) visit(top);
  return found.sort();
}

/** Dependencies that a manifest must not have. */
export function manifestBreaches(path, manifest) {
  const breaches = [];
  const dependencies = Object.keys(manifest.dependencies ?? {});
  if (path === 'packages/contracts/package.json') {
    for (const name of dependencies)
      if (name !== 'zod')
        breaches.push({ path, line: 1, problem: `depends on ${name}; contracts depend on zod alone` });
  }
  if (dependencies.includes('@flotilla/testing')) {
    breaches.push({ path, line: 1, problem: '@flotilla/testing belongs to devDependencies' });
  }
  return breaches;
}

function checkProject() {
  const files = sourceFiles();
  const breaches = files.flatMap((path) => breachesIn(path, readFileSync(join(root, path), 'utf8')));
  for (const top of ['apps', 'packages']) {
    for (const name of readdirSync(join(root, top))) {
      const path = `${top}/${name}/package.json`;
      if (existsSync(join(root, path)))
        breaches.push(...manifestBreaches(path, JSON.parse(readFileSync(join(root, path), 'utf8'))));
    }
  }
  for (const { path, line, problem } of breaches) process.stdout.write(`${path}:${line} ${problem}\n`);
  process.stdout.write(`${files.length} files checked, ${breaches.length} breaches of the import rules\n`);
  return breaches.length === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = checkProject() ? 0 : 1;
