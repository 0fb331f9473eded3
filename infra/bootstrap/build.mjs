import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { announce, announceDescriptor } from './announce.mjs';
import { seconds } from './elapsed.mjs';
import { exclusively } from './exclusive-work.mjs';
import { ownDir, projectDir } from './project-paths.mjs';
import { runVisibly } from './run-program.mjs';
import { ExitCode, SetupProblem } from './setup-problem.mjs';

/** Its pages are bundled by Vite, for browsers. */
const pagesApp = 'apps/dashboard';
const pageSources = ['index.html', 'vite.config.ts', 'package.json'];
const stampFile = join(ownDir, 'build-stamp');

/**
 * Compiles all packages when a source file has changed since the last time (by path, size and time of change).
 * @param {{ nodePath: string }} toolchain
 */
export async function buildIfChanged({ nodePath }) {
  if (isUpToDate(sourceFingerprint())) return;
  await exclusively('build', async () => {
    const fingerprint = sourceFingerprint();
    if (isUpToDate(fingerprint)) return;
    announce('compiling');
    const startedAt = performance.now();
    const run = (folder, program, args) =>
      runVisibly(join(projectDir, folder, 'node_modules', '.bin', program), args, {
        cwd: join(projectDir, folder),
        env: { ...process.env, PATH: `${dirname(nodePath)}:${process.env.PATH ?? ''}` },
        descriptor: announceDescriptor(),
      });
    // Neither needs what the other makes.
    const outcomes = await Promise.all([
      run('.', 'tsc', ['-b']),
      run(pagesApp, 'vite', ['build', '--logLevel', 'error']),
    ]);
    const failed = outcomes.find(({ code }) => code !== 0);
    if (failed !== undefined) {
      const reason = failed.problem ?? 'the problems are listed above';
      throw new SetupProblem(`compiling failed (${reason})`, ExitCode.failed);
    }
    mkdirSync(ownDir, { recursive: true });
    writeFileSync(stampFile, fingerprint);
    announce(`compiled after ${seconds(startedAt)} s`);
  });
}

function isUpToDate(fingerprint) {
  return (
    existsSync(stampFile) &&
    readFileSync(stampFile, 'utf8') === fingerprint &&
    compiledFolders().every(hasOutput) &&
    existsSync(join(projectDir, pagesApp, 'dist', 'pages', 'index.html'))
  );
}

/** Whether a removed dist folder has to be made again. */
function hasOutput(folder) {
  return existsSync(join(projectDir, folder, 'dist', '.tsbuildinfo'));
}

/** The packages that `tsc -b` makes something of: those the root tsconfig.json refers to. */
function compiledFolders() {
  const { references } = JSON.parse(readFileSync(join(projectDir, 'tsconfig.json'), 'utf8'));
  return references.map(({ path }) => path);
}

/** Of every source file and compiler setting: path, size and time of change. */
function sourceFingerprint() {
  const hash = createHash('sha256');
  const add = (path, stats) => hash.update(`${path}\0${stats.mtimeMs}\0${stats.size}\n`);
  for (const name of ['tsconfig.json', 'tsconfig.base.json']) add(name, statSync(join(projectDir, name)));
  for (const folder of compiledFolders()) {
    const configFile = join(projectDir, folder, 'tsconfig.json');
    add(folder, statSync(configFile));
    addTree(join(projectDir, folder, 'src'), add);
  }
  for (const name of pageSources) add(name, statSync(join(projectDir, pagesApp, name)));
  addTree(join(projectDir, pagesApp, 'pages'), add);
  return hash.digest('hex');
}

function addTree(folder, add) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) addTree(path, add);
    else add(path, statSync(path));
  }
}
