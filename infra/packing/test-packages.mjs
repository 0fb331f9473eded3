/**
 * Behind `npm run test:packages`: makes the packages, installs them as users do, in empty folders outside of the
 * repository, and does there what the guide "In your own project" says, on every Node that is promised. Names of parts
 * (npm, create, pnpm, yarn, old) choose among them.
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
import { addsToAProject, createdPassItsTests, createsAndFinishesARun } from './create-in-project.mjs';
import { fetchNode } from './fetch-node.mjs';
import { guideCommand, guideFile } from './guide.mjs';
import { judgeTarballs } from './judge-tarballs.mjs';
import { finishesARun, finishesUnderAKilledWorker } from './run-in-project.mjs';
import { UserProject } from './user-project.mjs';

/** The oldest and the newest that the packages promise, beside the one of the project. */
const NODES = { client: '20.19.5', oldest: '22.19.0', newest: '26.10.0' };
/** What the compiler needs; users choose their own. */
const COMPILER = 'typescript@7.0.2 @types/node@24.19.2';

/** Each package manager lays node_modules out differently, so each has a version of Node of its own to try. */
const parts = {
  npm: async (tarballs, ownNodeFolder) => {
    const project = projectFor('npm', tarballs, ownNodeFolder);
    await step('npm installs them', () => project.run(guideCommand('npm install')));
    await step('the strict compiler is content', async () => {
      await project.run(`npm install --save-dev ${COMPILER}`);
      await project.run('npx tsc');
    });
    await step('a run finishes although its worker is killed', () => finishesUnderAKilledWorker(project));
  },
  create: async (tarballs, ownNodeFolder) => {
    const project = projectFor('create', tarballs, ownNodeFolder);
    await step('a project is created, installed, and finishes a run', () => createsAndFinishesARun(project));
    await step('created projects pass their own tests', () => createdPassItsTests(project));
    await step('what is added to a project passes its tests', () => addsToAProject(project));
  },
  pnpm: async (tarballs, ownNodeFolder) => {
    const project = projectFor('pnpm', tarballs, (await nodeFolder(NODES.oldest)) ?? ownNodeFolder);
    project.write('pnpm-workspace.yaml', guideFile('allowBuilds'));
    await step(`pnpm installs them and a run finishes (Node ${NODES.oldest})`, async () => {
      await project.run(installedWith('npx --yes pnpm@12.21.0 add --prefer-offline'));
      await finishesARun(project);
    });
  },
  yarn: async (tarballs, ownNodeFolder) => {
    const project = projectFor('yarn', tarballs, (await nodeFolder(NODES.newest)) ?? ownNodeFolder);
    await step(`yarn installs them and a run finishes (Node ${NODES.newest})`, async () => {
      await project.run(installedWith('npx --yes yarn@1.22.22 add --prefer-offline --no-progress'));
      await finishesARun(project);
    });
  },
  old: async (tarballs) => {
    const folder = await nodeFolder(NODES.client);
    if (folder === undefined) return;
    const project = projectFor('old', tarballs, folder);
    await step(`the client loads on Node ${NODES.client}, and the program says what it needs`, async () => {
      await project.run(guideCommand('npm install'));
      await project.run(`node -e "require('@flotilla/client').createClient()"`);
      await project.run(`node --input-type=module -e "(await import('@flotilla/client')).createClient()"`);
      const { code, stderr } = await project.capture('npx flotilla --help');
      assert.equal(code, 3);
      assert.match(stderr, /Node 22\.19 or later is needed; this is v20/);
    });
  },
};

const asked = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'flotilla-packages-'));
announceOn(process.stdout);
await runAndExit(async () => {
  try {
    const { nodePath } = await prepareToolchain();
    await must(process.execPath, [join(projectDir, 'infra', 'packing', 'pack.mjs')]);
    const folder = join(projectDir, 'dist-packages');
    const tarballs = readdirSync(folder).map((file) => join(folder, file));
    await step('the tarballs are fit to be published', () => judgeTarballs(tarballs, { node: nodePath, work }));
    for (const [name, part] of Object.entries(parts)) {
      if (asked.length === 0 || asked.includes(name)) await part(tarballs, dirname(nodePath));
    }
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});

/** @param {string} command in place of `npm install` */
function installedWith(command) {
  return guideCommand('npm install').replace('npm install', command);
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
