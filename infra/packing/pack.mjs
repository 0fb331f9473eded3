/**
 * Behind `npm run pack`: makes the packages that users install, as tarballs in dist-packages. Nothing is published.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { announce, announceOn } from '../bootstrap/announce.mjs';
import { buildIfChanged } from '../bootstrap/build.mjs';
import { ownDir, projectDir } from '../bootstrap/project-paths.mjs';
import { capture } from '../bootstrap/run-program.mjs';
import { runAndExit, SetupProblem } from '../bootstrap/setup-problem.mjs';
import { prepareToolchain } from '../bootstrap/toolchain.mjs';
import { packDocs } from './pack-docs.mjs';
import { CREATOR, creatorManifest, LIBRARIES, libraryManifest, PROGRAM, programManifest } from './public-packages.mjs';
import { vendorCode } from './vendor-code.mjs';
import { closureOf, workspacePackages } from './workspace.mjs';

export const tarballsDir = join(projectDir, 'dist-packages');
const stagingDir = join(ownDir, 'packing');
/** What a server reads beside its code: scripts of Redis, pages, the schema that editors know. */
const ASSETS = ['lua', 'schema', 'dist/pages'];
/** Beside what belongs to a package: Redis' configuration and the recorded workflow of the demo. */
const PROGRAM_FILES = ['infra/redis/redis.conf', 'examples/montage'];
/** These of the bootstrap are for checkouts. */
const CHECKOUT_ONLY = new Set(['build', 'cli', 'prepare', 'run-flotilla', 'start', 'test', 'toolchain']);

announceOn(process.stdout);
await runAndExit(async () => {
  await buildIfChanged(await prepareToolchain());
  rmSync(stagingDir, { recursive: true, force: true });
  rmSync(tarballsDir, { recursive: true, force: true });
  mkdirSync(tarballsDir, { recursive: true });
  const packages = workspacePackages();
  const staged = [stageProgram(packages), stageCreator(packages)];
  for (const library of LIBRARIES) staged.push(await stageLibrary(library, packages));
  for (const folder of staged) await makeTarball(folder);
  return 0;
});

/** The program keeps the layout of the repository: everything finds its files where it finds them in a checkout. */
function stageProgram(packages) {
  const folder = stage(PROGRAM.name);
  const { inside, outside } = closureOf(PROGRAM.from, packages);
  const places = new Map(inside.map((each) => [each.name, `${each.folder}/dist`]));
  for (const each of inside) {
    vendorCode(each, { to: folder, placeOf: (name) => places.get(name) });
    for (const asset of ASSETS) copy(`${each.folder}/${asset}`, folder);
  }
  for (const file of PROGRAM_FILES) copy(file, folder);
  for (const file of readdirSync(join(projectDir, 'infra', 'bootstrap'))) {
    const name = /^([a-z-]+)\.mjs$/.exec(file)?.[1];
    if (name !== undefined && !CHECKOUT_ONLY.has(name)) copy(`infra/bootstrap/${file}`, folder);
  }
  packDocs(folder);
  return finish(folder, programManifest(outside));
}

/** Needs nothing of others, so that `npm create` has nothing else to fetch. */
function stageCreator(packages) {
  const folder = stage(CREATOR.name);
  const { inside, outside } = closureOf([CREATOR.from], packages);
  if (inside.length > 1 || Object.keys(outside).length > 0) throw new Error(`${CREATOR.from} has dependencies`);
  for (const each of inside) {
    vendorCode(each, { to: folder, placeOf: (name) => (name === each.name ? 'dist' : undefined) });
    cpSync(join(projectDir, each.folder, 'templates'), join(folder, 'templates'), { recursive: true });
  }
  return finish(folder, creatorManifest());
}

async function stageLibrary(library, packages) {
  const folder = stage(library.name);
  const { inside, outside } = closureOf([library.from], packages);
  const entry = shortName(library.from);
  const vendor = (subfolder, transform) => {
    const places = new Map(inside.map(({ name }) => [name, `${subfolder}/${shortName(name)}`]));
    for (const each of inside) vendorCode(each, { to: folder, placeOf: (name) => places.get(name), transform });
  };
  vendor('dist');
  if (library.commonJs) {
    const { transformSync } = await import('esbuild');
    vendor('dist/cjs', (code) => transformSync(code, { format: 'cjs', platform: 'node', target: 'node20' }).code);
    writeFileSync(join(folder, 'dist', 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
  }
  return finish(folder, libraryManifest(library, outside, entry));
}

function finish(folder, manifest) {
  copy('LICENSE', folder);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return folder;
}

async function makeTarball(folder) {
  const { code, stderr, problem } = await capture('npm', ['pack', '--pack-destination', tarballsDir], { cwd: folder });
  if (code !== 0) throw new SetupProblem(`npm pack failed in ${folder}: ${problem ?? stderr}`, 1);
  const name = basename(folder).replace('@', '').replace('+', '-');
  const tarball = readdirSync(tarballsDir).find((file) => new RegExp(`^${name}-\\d`).test(file));
  const kilobytes = Math.ceil(statSync(join(tarballsDir, tarball)).size / 1024);
  announce(`dist-packages/${tarball}, ${kilobytes} KiB`);
}

function stage(name) {
  const folder = join(stagingDir, name.replace('/', '+'));
  mkdirSync(folder, { recursive: true });
  return folder;
}

function copy(path, folder) {
  if (existsSync(join(projectDir, path))) cpSync(join(projectDir, path), join(folder, path), { recursive: true });
}

function shortName(name) {
  return name.slice(name.indexOf('/') + 1);
}
