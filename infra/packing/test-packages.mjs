/**
 * Behind `npm run test:packages`: makes the packages, installs them as users do, in empty folders outside of the
 * repository, and does there what the guide "In your own project" says, on every Node that is promised.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { announce, announceOn } from '../bootstrap/announce.mjs';
import { seconds } from '../bootstrap/elapsed.mjs';
import { projectDir } from '../bootstrap/project-paths.mjs';
import { capture } from '../bootstrap/run-program.mjs';
import { runAndExit } from '../bootstrap/setup-problem.mjs';
import { prepareToolchain } from '../bootstrap/toolchain.mjs';
import { fetchNode } from './fetch-node.mjs';
import { guideCommand, guideFile } from './guide.mjs';
import { judgeTarballs } from './judge-tarballs.mjs';
import { finishesARun, finishesUnderAKilledWorker } from './run-in-project.mjs';
import { UserProject } from './user-project.mjs';

/** The oldest and the newest that the packages promise, beside the one of the project. */
const NODES = { client: '20.19.5', oldest: '22.19.0', newest: '26.10.0' };
/** What the compiler needs; users choose their own. */
const COMPILER = 'typescript@7.0.2 @types/node@24.19.2';

announceOn(process.stdout);
const work = mkdtempSync(join(tmpdir(), 'flotilla-packages-'));
await runAndExit(async () => {
  try {
    const { nodePath } = await prepareToolchain();
    await must(process.execPath, [join(projectDir, 'infra', 'packing', 'pack.mjs')]);
    const folder = join(projectDir, 'dist-packages');
    const tarballs = readdirSync(folder).map((file) => join(folder, file));
    await step('tarballs are fit to be published', () => judgeTarballs(tarballs, { node: nodePath, work }));
    await withNpm(tarballs, dirname(nodePath));
    await withOtherNodes(tarballs, dirname(nodePath));
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

async function withNpm(tarballs, nodeFolder) {
  const project = projectFor('npm', tarballs, nodeFolder);
  await step('npm installs them', () => project.run(guideCommand('npm install')));
  await step('the strict compiler is content', async () => {
    await project.run(`npm install --save-dev ${COMPILER}`);
    await project.run('npx tsc');
  });
  await step('a run finishes although its worker is killed', () => finishesUnderAKilledWorker(project));
}

/** Each package manager lays node_modules out differently, so each has one of the other versions of Node. */
async function withOtherNodes(tarballs, ownNodeFolder) {
  const install = guideCommand('npm install');
  const pnpm = projectFor('pnpm', tarballs, (await nodeFolder(NODES.oldest)) ?? ownNodeFolder);
  pnpm.write('pnpm-workspace.yaml', guideFile('allowBuilds'));
  await step(`pnpm installs them and a run finishes (Node ${NODES.oldest})`, async () => {
    await pnpm.run(install.replace('npm install', 'npx --yes pnpm@12.21.0 add --prefer-offline'));
    await finishesARun(pnpm);
  });
  const yarn = projectFor('yarn', tarballs, (await nodeFolder(NODES.newest)) ?? ownNodeFolder);
  await step(`yarn installs them and a run finishes (Node ${NODES.newest})`, async () => {
    await yarn.run(install.replace('npm install', 'npx --yes yarn@1.22.22 add --prefer-offline --no-progress'));
    await finishesARun(yarn);
  });
  const old = projectFor('old', tarballs, await nodeFolder(NODES.client));
  await step(`the client loads in both forms on Node ${NODES.client}, and the program says what it needs`, async () => {
    await old.run(install);
    await old.run(`node -e "require('@flotilla/client').createClient()"`);
    await old.run(`node --input-type=module -e "(await import('@flotilla/client')).createClient()"`);
    const { code, stderr } = await old.capture('npx flotilla --help');
    assert.equal(code, 3);
    assert.match(stderr, /Node 22\.19 or later is needed; this is v20/);
  });
}

function projectFor(name, tarballs, folderOfNode) {
  return new UserProject(join(work, name), { tarballs, nodeFolder: folderOfNode });
}

/** Undefined, and said, where there is no ready-made package of that Node. */
async function nodeFolder(version) {
  const folder = join(work, `node-${version}`);
  mkdirSync(folder, { recursive: true });
  return fetchNode(version, folder);
}

async function step(name, action) {
  const startedAt = performance.now();
  await action();
  announce(`${name}: ok after ${seconds(startedAt)} s`);
}

async function must(program, args) {
  const { code, stdout, stderr, problem } = await capture(program, args, { cwd: projectDir });
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${problem ?? ''}\n${stdout}${stderr}`);
}
