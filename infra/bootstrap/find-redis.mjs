import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { announce } from './announce.mjs';
import { mayInstall } from './ask.mjs';
import { containerRedis } from './container-redis.mjs';
import { canUnpackPackages, unpackRedis } from './debian-redis.mjs';
import { exclusively } from './exclusive-work.mjs';
import { toolsDir } from './project-paths.mjs';
import { capture, findOnPath, isExecutable } from './run-program.mjs';
import { SetupProblem } from './setup-problem.mjs';
import { formatVersion, isAtLeast, parseVersion } from './version.mjs';

/** The oldest that Flotilla runs on: functions of scripts and ACL rules that 6 does not have. */
const oldestMajor = 7;

/** Names of the program, the preferred one first. */
const serverPrograms = ['redis-server', 'valkey-server'];

const homebrewPrefixes = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];

/**
 * @typedef {object} RedisServer a program that can be started
 * @property {string} path
 * @property {string} [libraryPath] for LD_LIBRARY_PATH, when its libraries lie beside it
 * @property {string} version
 * @property {string} origin in words
 */

/**
 * Looks for a server program and fetches one into the project's tools folder when there is none.
 * @param {{ env?: NodeJS.ProcessEnv, tools?: string, prefixes?: readonly string[] }} [options]
 * @returns {Promise<RedisServer>}
 * @throws {SetupProblem} that says what to install
 */
export async function findOrFetchRedis({ env = process.env, tools = toolsDir, prefixes = homebrewPrefixes } = {}) {
  const found = await findRedis({ env, tools, prefixes });
  if (found !== undefined) return found;
  return exclusively('redis', async () => {
    const sources = [
      () => findRedis({ env, tools, prefixes, quiet: true }),
      () => unpacked(env, tools),
      () => homebrew(env),
      () => container(env, tools),
    ];
    for (const source of sources) {
      const server = await source();
      if (server !== undefined) return server;
    }
    throw new SetupProblem(whatToInstall());
  });
}

/**
 * Looks for a server program that is there already: FLOTILLA_REDIS_SERVER, PATH, the tools folder, Homebrew's folders.
 * Older ones are passed over with a word.
 * @param {{ env?: NodeJS.ProcessEnv, tools?: string, quiet?: boolean, prefixes?: readonly string[] }} [options]
 * @returns {Promise<RedisServer | undefined>}
 */
export async function findRedis({
  env = process.env,
  tools = toolsDir,
  quiet = false,
  prefixes = homebrewPrefixes,
} = {}) {
  if (env.FLOTILLA_REDIS_SERVER) {
    const named = await examine(env.FLOTILLA_REDIS_SERVER, 'FLOTILLA_REDIS_SERVER', env.FLOTILLA_REDIS_LIBRARY_PATH);
    if (named.server !== undefined) return named.server;
    throw new SetupProblem(`FLOTILLA_REDIS_SERVER names ${env.FLOTILLA_REDIS_SERVER}, but ${named.problem}.`);
  }
  for (const candidate of candidates(env, tools, prefixes)) {
    const { server, problem } = await examine(candidate.path, candidate.origin, candidate.libraryPath);
    if (server !== undefined) return server;
    if (!quiet) announce(`not using ${candidate.path}: ${problem}`);
  }
  return undefined;
}

function candidates(env, tools, prefixes) {
  const list = [];
  for (const name of serverPrograms) {
    for (const path of findOnPath(name, env)) list.push({ path, origin: 'found on PATH' });
  }
  const stored = readToolRecord(tools);
  if (stored !== undefined) list.push({ ...stored, origin: 'unpacked in .flotilla/tools' });
  for (const prefix of prefixes) {
    for (const [formula, name] of [
      ['redis', 'redis-server'],
      ['valkey', 'valkey-server'],
    ]) {
      const path = join(prefix, 'opt', formula, 'bin', name);
      if (isExecutable(path)) list.push({ path, origin: 'from Homebrew' });
    }
  }
  return list;
}

/** Runs the program once: it must start at all, and be new enough. */
async function examine(path, origin, libraryPath) {
  const env = libraryPath ? { ...process.env, LD_LIBRARY_PATH: libraryPath } : process.env;
  const { code, stdout, stderr, problem } = await capture(path, ['--version'], { env, timeoutMs: 30_000 });
  if (code !== 0) return { problem: `it does not run (${problem ?? (stderr.trim() || `exit code ${code}`)})` };
  const version = parseVersion(stdout);
  if (version === undefined) return { problem: 'it does not tell its version' };
  if (!isAtLeast(version, oldestMajor)) {
    return { problem: `it is version ${formatVersion(version)}, and ${oldestMajor}.0 or later is needed` };
  }
  return { server: { path, origin, version: formatVersion(version), ...(libraryPath ? { libraryPath } : {}) } };
}

async function unpacked(env, tools) {
  if (!canUnpackPackages(env)) return undefined;
  try {
    const { path, libraryPath } = await unpackRedis({ tools, env });
    const { server, problem } = await examine(path, 'unpacked in .flotilla/tools', libraryPath);
    if (server === undefined) announce(`the unpacked Redis cannot be used: ${problem}`);
    return server;
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    for (const line of error.lines) announce(line); // the next source may still have one
    return undefined;
  }
}

async function homebrew(env) {
  const [brew] = findOnPath('brew', env);
  if (brew === undefined) return undefined;
  if (!(await mayInstall('No Redis was found. Install it with "brew install redis"?', env))) return undefined;
  announce('installing Redis with Homebrew');
  const { code, stderr } = await capture(brew, ['install', 'redis'], { env, timeoutMs: 900_000 });
  if (code !== 0) announce(`brew install redis failed: ${stderr.trim().split('\n').at(-1)}`);
  return findRedis({ env, quiet: true });
}

async function container(env, tools) {
  const made = await containerRedis({ tools, env });
  if (made === undefined) return undefined;
  const { server, problem } = await examine(made.path, 'in a Docker container');
  if (server === undefined) announce(`Redis in a container cannot be used: ${problem}`);
  return server;
}

function readToolRecord(tools) {
  const folder = join(tools, 'redis');
  const file = join(folder, 'tool.json');
  if (!existsSync(file)) return undefined;
  const { server, libraries } = JSON.parse(readFileSync(file, 'utf8')); // complete: the folder was renamed into place
  return { path: join(folder, server), libraryPath: libraries.map((name) => join(folder, name)).join(':') };
}

function whatToInstall() {
  return [
    `no usable Redis was found. Flotilla needs Redis ${oldestMajor}.0 or later, or Valkey. Any one of these will do:`,
    '  set REDIS_URL to a Redis that runs already, such as redis://127.0.0.1:6379',
    '  set FLOTILLA_REDIS_SERVER to a redis-server or valkey-server program',
    '  Debian, Ubuntu   sudo apt-get install redis-server     (or valkey-server where redis-server is older than 7)',
    '  Fedora, RHEL     sudo dnf install valkey               (or redis)',
    '  Alpine           sudo apk add redis',
    '  Arch             sudo pacman -S valkey',
    '  macOS            brew install redis',
    '  with Docker      docker pull redis:7.4-alpine, then start again (or FLOTILLA_ALLOW_INSTALL=1 to let Flotilla pull it)',
  ];
}
