import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { announce, announceDescriptor } from './announce.mjs';
import { seconds } from './elapsed.mjs';
import { exclusively } from './exclusive-work.mjs';
import { projectDir } from './project-paths.mjs';
import { capture, findOnPath, isExecutable, runVisibly } from './run-program.mjs';
import { SetupProblem } from './setup-problem.mjs';
import { isAtLeast, parseVersion } from './version.mjs';

const pnpmVersion = '12.21.0';
const nodeMajor = 24;

/** Removed together with node_modules, so that it never claims more than there is. */
const stampFile = join(projectDir, 'node_modules', '.flotilla-install.json');

/**
 * Packages and Node 24, from the lockfile, through npm alone. Does nothing when they are there already.
 * @returns {Promise<{ nodePath: string }>} the Node that everything else runs with
 */
export async function prepareToolchain() {
  requireSupportedNode(process.version);
  const ready = readyNode();
  if (ready !== undefined) return { nodePath: ready };
  return exclusively('install', async () => {
    const readyMeanwhile = readyNode();
    if (readyMeanwhile !== undefined) return { nodePath: readyMeanwhile };
    await installPackages();
    const nodePath = await chooseNode();
    writeFileSync(stampFile, JSON.stringify({ fingerprint: manifestFingerprint(), nodePath: nodePath.stored }));
    return { nodePath: nodePath.path };
  });
}

/** @param {string} version such as process.version */
function requireSupportedNode(version) {
  const parsed = parseVersion(version);
  if (parsed === undefined || !isAtLeast(parsed, 20)) {
    throw new SetupProblem([
      `Node 20 or later is needed to set Flotilla up; this is ${version}.`,
      'Install a current Node from https://nodejs.org or with your package manager. Node 24 itself is fetched by Flotilla.',
    ]);
  }
}

function readyNode() {
  const stamp = readJson(stampFile);
  if (stamp === undefined || stamp.fingerprint !== manifestFingerprint()) return undefined;
  if (stamp.nodePath === null) return isNodeNewEnough() ? process.execPath : undefined;
  const nodePath = join(projectDir, stamp.nodePath);
  return isExecutable(nodePath) ? nodePath : undefined;
}

async function installPackages() {
  announce(`installing packages from the lockfile with pnpm ${pnpmVersion} (once; they go to node_modules)`);
  const startedAt = performance.now();
  const { program, args } = npxCommand();
  const env = { ...process.env };
  delete env.NODE_ENV; // "production" would leave the compiler out
  const { code, problem } = await runVisibly(
    program,
    [...args, 'install', '--frozen-lockfile', '--config.confirm-modules-purge=false'],
    { cwd: projectDir, env, descriptor: announceDescriptor() },
  );
  if (code !== 0) {
    throw new SetupProblem(
      [
        `installing the packages failed (${problem ?? `exit code ${code}`}); pnpm's own words are above.`,
        'Without a network: try again when there is one. With "OUTDATED_LOCKFILE": a package.json was changed, so run',
        `  npx pnpm@${pnpmVersion} install`,
      ],
      problem === undefined ? 1 : 3,
    );
  }
  announce(`packages are in place after ${seconds(startedAt)} s`);
}

/** npm's own runner: the one that started us, else the one beside this Node, else the one on PATH. */
function npxCommand() {
  const wanted = ['--yes', `pnpm@${pnpmVersion}`];
  const npmCli = process.env.npm_execpath;
  if (npmCli !== undefined && /npm-cli\.js$/.test(npmCli) && existsSync(npmCli)) {
    return { program: process.execPath, args: [npmCli, 'exec', '--yes', '--', wanted[1]] };
  }
  const beside = join(dirname(process.execPath), 'npx');
  const npx = isExecutable(beside) ? beside : findOnPath('npx')[0];
  if (npx === undefined) {
    throw new SetupProblem('npm is needed beside Node, but there is no "npx" on PATH. Install npm and try again.');
  }
  return { program: npx, args: wanted };
}

/** Node 24 out of node_modules; `stored` is how the stamp writes it, null for the Node that runs this. */
async function chooseNode() {
  const stored = join('node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  const path = join(projectDir, stored);
  if (isExecutable(path)) {
    const { code, stdout } = await capture(path, ['--version'], { timeoutMs: 20_000 });
    if (code === 0 && parseVersion(stdout)?.major === nodeMajor) return { path, stored };
  }
  if (isNodeNewEnough()) return { path: process.execPath, stored: null };
  throw new SetupProblem([
    `Flotilla runs on Node ${nodeMajor}. There is no ready-made package of it that works on ${process.platform}-${process.arch}.`,
    `Install Node ${nodeMajor} from https://nodejs.org or with your package manager, and start this command with it.`,
  ]);
}

function isNodeNewEnough() {
  const own = parseVersion(process.version);
  return own !== undefined && isAtLeast(own, nodeMajor);
}

/** Changes when the lockfile, the workspace or any package's manifest changes. */
function manifestFingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${pnpmVersion}`);
  for (const file of manifestFiles()) hash.update(`\0${file}\0`).update(readFileSync(join(projectDir, file)));
  return hash.digest('hex');
}

function manifestFiles() {
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const folder of workspaceFolders()) files.push(join(folder, 'package.json'));
  return files;
}

/** Folders of all workspace packages, as pnpm-workspace.yaml names them, relative to the project folder. */
function workspaceFolders() {
  const text = readFileSync(join(projectDir, 'pnpm-workspace.yaml'), 'utf8');
  const patterns = /^packages:\s*\[([^\]]*)\]/m.exec(text)?.[1]?.split(',') ?? blockList(text);
  const folders = [];
  for (const pattern of patterns.map((entry) => entry.trim().replace(/^["']|["']$/g, ''))) {
    if (!pattern.endsWith('/*')) folders.push(pattern);
    else
      for (const name of listFolder(join(projectDir, pattern.slice(0, -2))))
        folders.push(join(pattern.slice(0, -2), name));
  }
  return folders.filter((folder) => existsSync(join(projectDir, folder, 'package.json'))).sort();
}

function blockList(text) {
  const block = /^packages:\s*\n((?:[ \t]*-.*\n)+)/m.exec(text)?.[1] ?? '';
  return [...block.matchAll(/-\s*(.+)/g)].map((match) => match[1]);
}

function listFolder(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // never written, or cut off in the middle: set up again
  }
}
