import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { announce } from './announce.mjs';
import { capture, findOnPath, isExecutable } from './run-program.mjs';
import { SetupProblem } from './setup-problem.mjs';
import { isAtLeast, parseVersion } from './version.mjs';

/** In the order of preference; distributions have one or both, under these names. */
const serverPackages = ['redis-server', 'valkey-server'];
const oldestMajor = 7;

/** Never beside a program: a C library that differs from the loader's own breaks every program that sees it. */
const belongsToTheLoader = /^libc6(-|$)|^libc-bin$/;

/** @param {NodeJS.ProcessEnv} [env] */
export function canUnpackPackages(env = process.env) {
  return (
    process.platform === 'linux' &&
    ['apt-get', 'apt-cache', 'dpkg-deb'].every((program) => findOnPath(program, env).length > 0)
  );
}

/**
 * Unpacks the distribution's own Redis, with the libraries it needs, into `tools`/redis. Installs nothing, needs no
 * root, and touches nothing outside `tools`: package lists, where the system has none, are fetched to a folder there.
 * apt checks the signatures as always.
 * @param {{ tools: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ path: string, libraryPath: string }>}
 */
export async function unpackRedis({ tools, env = process.env }) {
  const target = join(tools, 'redis');
  if (target.includes(':')) {
    throw new SetupProblem(`Redis cannot be unpacked below ${tools}: a library path must not contain a colon.`);
  }
  announce("no Redis found; unpacking the distribution's package into .flotilla/tools (nothing is installed)");
  const work = join(tools, `redis.${process.pid}.part`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'packages'), { recursive: true });
  try {
    const apt = new Apt(env, join(tools, 'apt'));
    const packages = await downloadServer(apt, join(work, 'packages'));
    const root = join(work, 'root');
    for (const file of readdirSync(join(work, 'packages'))) {
      await must('dpkg-deb', ['--extract', join(work, 'packages', file), root], env);
    }
    rmSync(join(work, 'packages'), { recursive: true });
    const server = serverPackages
      .map((name) => join('usr', 'bin', name))
      .find((path) => isExecutable(join(root, path)));
    if (server === undefined) throw new SetupProblem(`the packages ${packages.join(', ')} hold no server program.`);
    const libraries = libraryFolders(root);
    await requireLibraries(join(root, server), libraries, env);
    const record = { server, libraries: libraries.map((folder) => relative(root, folder)), packages };
    writeFileSync(join(root, 'tool.json'), `${JSON.stringify(record, null, 2)}\n`);
    rmSync(target, { recursive: true, force: true });
    renameSync(root, target);
    announce(`unpacked ${packages.length} packages into ${target}`);
    return { path: join(target, server), libraryPath: record.libraries.map((name) => join(target, name)).join(':') };
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(join(tools, 'apt'), { recursive: true, force: true });
  }
}

/** Downloads the server's package and its libraries; with fresh lists when the system's are missing or out of date. */
async function downloadServer(apt, folder) {
  let problem = 'no package lists';
  for (const refresh of [false, true]) {
    if (refresh) await apt.fetchLists();
    const name = await newestServer(apt);
    if (name === undefined) {
      problem = `the package lists have none of ${serverPackages.join(', ')} in version ${oldestMajor} or later`;
      continue;
    }
    const packages = await withLibraries(apt, name);
    const { code, stderr } = await apt.run('apt-get', ['download', ...packages], folder);
    if (code === 0) return packages;
    problem =
      stderr
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('E:'))
        .join(' ') || `apt-get ended with ${code}`;
  }
  throw new SetupProblem(`Redis could not be fetched from the distribution's packages: ${problem}.`);
}

async function newestServer(apt) {
  const { stdout } = await apt.run('apt-cache', ['policy', ...serverPackages]);
  const sections = stdout.split(/^(?=\S)/m);
  return serverPackages.find((name) => {
    const section = sections.find((text) => text.startsWith(`${name}:`)) ?? '';
    const candidate = parseVersion(/Candidate: (\S+)/.exec(section)?.[1] ?? '');
    return candidate !== undefined && isAtLeast(candidate, oldestMajor);
  });
}

/** The packages of the program itself and every library below them, without the C library. */
async function withLibraries(apt, server) {
  const { stdout } = await apt.run('apt-cache', [
    'depends',
    '--recurse',
    ...['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`),
    server,
  ]);
  const dependencies = dependenciesOf(stdout);
  const wanted = new Set([server]);
  for (const name of wanted) {
    for (const next of dependencies.get(name) ?? []) if (isPartOfServer(next)) wanted.add(next);
  }
  return [...wanted];
}

function isPartOfServer(name) {
  return /^(redis|valkey)-/.test(name) || (/^lib[a-z0-9.+-]+$/.test(name) && !belongsToTheLoader.test(name));
}

/**
 * What each package needs, out of `apt-cache depends --recurse`: of alternatives (marked with a bar) the first, of a
 * virtual package (in angle brackets) its first provider.
 * @param {string} text
 * @returns {Map<string, string[]>}
 */
export function dependenciesOf(text) {
  const all = new Map();
  let names = [];
  let inAlternatives = false;
  let needsProvider = false;
  for (const line of text.split('\n')) {
    const dependency = /^ (\|| ) ?(?:Pre)?Depends: (\S+)/.exec(line);
    if (/^\S/.test(line)) {
      names = [];
      all.set(line.trim(), names);
      inAlternatives = false;
      needsProvider = false;
    } else if (dependency !== null) {
      const [, bar, name] = dependency;
      needsProvider = !inAlternatives && name.startsWith('<');
      if (!inAlternatives && !needsProvider) names.push(name);
      inAlternatives = bar === '|';
    } else if (needsProvider && /^ {4}\S/.test(line)) {
      names.push(line.trim());
      needsProvider = false;
    }
  }
  return all;
}

/** Every folder below `root` that holds a shared library. */
function libraryFolders(root) {
  const folders = [];
  const visit = (folder) => {
    const entries = readdirSync(folder, { withFileTypes: true });
    if (entries.some((entry) => !entry.isDirectory() && /^lib.*\.so(\.|$)/.test(entry.name))) folders.push(folder);
    for (const entry of entries) if (entry.isDirectory()) visit(join(folder, entry.name));
  };
  for (const top of ['lib', 'usr/lib']) {
    const folder = join(root, top);
    if (existsSync(folder) && statSync(folder).isDirectory()) visit(folder);
  }
  return folders;
}

async function requireLibraries(program, libraries, env) {
  const { stdout } = await capture('ldd', [program], { env: { ...env, LD_LIBRARY_PATH: libraries.join(':') } });
  const missing = [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (missing.length > 0) {
    throw new SetupProblem(`the unpacked Redis misses ${missing.join(', ')}. Install redis-server, or set REDIS_URL.`);
  }
}

async function must(program, args, env) {
  const { code, stderr, problem } = await capture(program, args, { env });
  if (code !== 0) throw new SetupProblem(`${program} failed: ${problem ?? stderr.trim()}`);
}

/** apt with the system's package lists, or, after `fetchLists`, with lists of its own. */
class Apt {
  #env;
  #folder;
  #options = [];

  constructor(env, folder) {
    this.#env = { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
    this.#folder = folder;
  }

  /** Works without root: lists, cache and locks are all in our own folder. */
  async fetchLists() {
    announce('fetching package lists into .flotilla/tools (the system has none, or they are out of date)');
    for (const name of ['state/lists/partial', 'cache/archives/partial']) {
      mkdirSync(join(this.#folder, name), { recursive: true });
    }
    this.#options = [
      ['Dir::State', join(this.#folder, 'state')],
      ['Dir::State::Lists', join(this.#folder, 'state', 'lists')],
      ['Dir::State::Status', '/var/lib/dpkg/status'],
      ['Dir::Cache', join(this.#folder, 'cache')],
    ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const { code, stderr } = await this.run('apt-get', ['update', '-qq']);
    if (code !== 0) announce(`apt-get update: ${stderr.trim().split('\n').at(-1)}`); // what was fetched may be enough
  }

  /** @returns {ReturnType<typeof capture>} */
  run(program, args, cwd) {
    // root must not hand the work to the user "_apt", who may not enter the project folder
    const sandbox = ['-o', 'APT::Sandbox::User=root'];
    return capture(program, [...this.#options, ...sandbox, ...args], { env: this.#env, ...(cwd ? { cwd } : {}) });
  }
}
