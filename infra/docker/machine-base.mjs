import { chmodSync, chownSync, copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { capture } from '../bootstrap/run-program.mjs';
import { SetupProblem } from '../bootstrap/setup-problem.mjs';

/**
 * @typedef {object} MachineBase an image made from programs of this machine, for where none can be fetched
 * @property {string} image its name
 * @property {Record<string, string>} programs name in the image -> path on this machine
 * @property {string} [libraryPath] for LD_LIBRARY_PATH, where the programs' libraries lie beside them
 * @property {string} user the user that it knows besides root
 * @property {number} userId also its group
 * @property {string[]} [folders] that belong to that user
 */

/**
 * Imports a root file system with nothing but these programs, the libraries they need, and a user. No shell, no
 * package manager: less than the public images have, never more.
 * @param {string} docker the client
 * @param {string} work an empty folder
 * @param {MachineBase} base
 * @param {NodeJS.ProcessEnv} env
 */
export async function importMachineBase(docker, work, base, env) {
  const root = join(work, 'root');
  for (const folder of ['etc', 'proc', 'sys', 'dev', 'tmp', 'usr/bin', ...(base.folders ?? [])]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chmodSync(join(root, 'tmp'), 0o1777);
  const { user, userId } = base;
  for (const folder of base.folders ?? []) chownSync(join(root, folder), userId, userId);
  writeFileSync(
    join(root, 'etc/passwd'),
    `root:x:0:0:root:/:/nowhere\n${user}:x:${userId}:${userId}:${user}:/:/nowhere\n`,
  );
  writeFileSync(join(root, 'etc/group'), `root:x:0:\n${user}:x:${userId}:\n`);
  for (const [name, path] of Object.entries(base.programs)) {
    const program = realpathSync(path);
    put(program, join(root, 'usr/bin', name));
    for (const library of await librariesOf(program, base.libraryPath, env)) {
      // The loader stands where the program says; the others where the loader looks without asking.
      const isLoader = basename(library).startsWith('ld-');
      put(realpathSync(library), isLoader ? join(root, library) : join(root, '/usr/lib', basename(library)));
    }
  }
  const archive = join(work, 'root.tar');
  await must('tar', ['--create', '--numeric-owner', '--file', archive, '--directory', root, '.'], env);
  await must(docker, ['import', archive, base.image], env);
}

function put(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

/** Paths of all shared libraries of a program, the loader among them. */
async function librariesOf(program, libraryPath, env) {
  const own = libraryPath === undefined ? env : { ...env, LD_LIBRARY_PATH: libraryPath };
  const { stdout } = await must('ldd', [program], own);
  const missing = [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (missing.length > 0) throw new SetupProblem(`${program} misses the libraries ${missing.join(', ')}`);
  return librariesIn(stdout);
}

/**
 * The paths in what `ldd` prints.
 * @param {string} text
 * @returns {string[]}
 */
export function librariesIn(text) {
  return [...text.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map((match) => match[1]);
}

/**
 * Runs a program that has to succeed.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {{ cwd?: string, timeoutMs?: number }} [options]
 */
export async function must(program, args, env, options = {}) {
  const result = await capture(program, args, { env, ...options });
  if (result.code !== 0) {
    const words = result.problem ?? `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-15).join('\n');
    throw new SetupProblem([`${program} ${args.slice(0, 2).join(' ')} failed:`, words], 1);
  }
  return result;
}
