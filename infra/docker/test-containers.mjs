/**
 * Behind `npm run test:containers`: finds or starts a Docker engine, builds the images and runs tests/containers with
 * the arguments given. Where there is no engine it says so, loudly, and ends with 0: there is nothing to test there.
 * FLOTILLA_REQUIRE_CONTAINERS=1 makes that a failure.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { announce, announceOn } from '../bootstrap/announce.mjs';
import { buildIfChanged } from '../bootstrap/build.mjs';
import { findOrFetchRedis } from '../bootstrap/find-redis.mjs';
import { projectDir, toolsDir } from '../bootstrap/project-paths.mjs';
import { runUnderNode } from '../bootstrap/run-command.mjs';
import { serverSettings } from '../bootstrap/run-with-redis.mjs';
import { runAndExit } from '../bootstrap/setup-problem.mjs';
import { prepareToolchain } from '../bootstrap/toolchain.mjs';
import { buildImages, imageNames, makeBuiltTree } from './build-images.mjs';
import { findEngine, namespaceOptions, withSystemFolders } from './find-engine.mjs';

/** First argument of the second round of this program, inside the namespaces of an engine of its own; then a folder. */
const insideMark = '--beside-private-engine';
/** Exit code of private-engine.sh. */
const engineDoesNotStart = 70;
const here = fileURLToPath(new URL('.', import.meta.url));

announceOn(process.stdout);
await runAndExit(async () => {
  const { nodePath } = await prepareToolchain();
  const [first, folder, ...rest] = process.argv.slice(2);
  if (first === insideMark) return buildAndTest(nodePath, { work: folder, mayPull: false, jestOptions: rest });
  const jestOptions = process.argv.slice(2);
  const env = withSystemFolders(process.env);
  const engine = await findEngine(env);
  if (engine.kind === 'none') return skip(engine.why);
  // Before the namespaces: in there is no network.
  mkdirSync(toolsDir, { recursive: true });
  await findOrFetchRedis();
  await buildIfChanged({ nodePath });
  const work = mkdtempSync(join(tmpdir(), 'flotilla-containers-')); // a socket's path must be short
  try {
    if (engine.kind === 'running') {
      announce(`using the Docker engine ${engine.version} that runs already`);
      return await buildAndTest(nodePath, { work, mayPull: true, jestOptions });
    }
    await makeBuiltTree(join(work, 'images'), env);
    announce('starting a Docker engine in namespaces of its own; nothing of it stays');
    const program = [nodePath, fileURLToPath(import.meta.url), insideMark, work, ...jestOptions];
    const code = await runInNamespaces(['sh', join(here, 'private-engine.sh'), work, ...program], env);
    return code === engineDoesNotStart ? skip('a Docker engine is installed, but it does not start; see above') : code;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

/** Ends with this process, and ends it all at once: the first process of a namespace hears no other signal. */
function runInNamespaces(command, env) {
  return new Promise((resolve, reject) => {
    const options = ['--pdeathsig', 'KILL', 'unshare', ...namespaceOptions, ...command];
    const child = spawn('setpriv', options, { stdio: 'inherit', cwd: projectDir, env });
    const end = () => child.kill('SIGKILL');
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, end);
    child.once('error', reject);
    child.once('exit', (code) => {
      for (const signal of signals) process.off(signal, end);
      resolve(code ?? 1);
    });
  });
}

async function buildAndTest(nodePath, { work, mayPull, jestOptions }) {
  const redis = await findOrFetchRedis();
  await buildImages({ nodePath, redis, work: join(work, 'images'), mayPull });
  const jest = join(projectDir, 'node_modules', 'jest', 'bin', 'jest.js');
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  // Mostly they wait: for leases to run out, for containers to start.
  const selection = ['--selectProjects', 'containers', '--maxWorkers', '2'];
  return runUnderNode(nodePath, [...options, jest, ...selection, ...jestOptions], {
    cwd: projectDir,
    env: {
      ...process.env,
      ...serverSettings(redis),
      FLOTILLA_IMAGES: JSON.stringify(imageNames),
      // testcontainers' own cleaner is an image that would have to be fetched; the tests remove what they start.
      TESTCONTAINERS_RYUK_DISABLED: 'true',
    },
  });
}

function skip(why) {
  const line = '!'.repeat(78);
  announce(`${line}\n! CONTAINER TESTS SKIPPED: ${why}\n${line}`);
  return process.env.FLOTILLA_REQUIRE_CONTAINERS === '1' ? 1 : 0;
}
