import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { announce } from '../bootstrap/announce.mjs';
import { projectDir } from '../bootstrap/project-paths.mjs';
import { capture, findOnPath } from '../bootstrap/run-program.mjs';
import { importMachineBase, must } from './machine-base.mjs';

const nodeImage = 'node:24-bookworm-slim';
const redisImage = 'redis:7.4-alpine';
const treeImage = 'flotilla-machine-tree';
const buildMs = 600_000;
const pullMs = 180_000;

/** What the image of one program is called; not the names that users give theirs. */
export const imageNames = Object.freeze({
  scheduler: 'flotilla-scheduler:under-test',
  worker: 'flotilla-worker:under-test',
  redis: 'flotilla-redis:under-test',
});

/**
 * Builds the images of the project's Dockerfiles. From the public base images where those are there or can be fetched,
 * else from this machine's own Node and Redis; then the first stage, which needs a network and a shell, is done on this
 * machine, and all others as they are written.
 * @param {{ nodePath: string, redis: import('../bootstrap/find-redis.mjs').RedisServer, work: string,
 *   mayPull: boolean, env?: NodeJS.ProcessEnv }} options work: a folder for what is made in between
 */
export async function buildImages({ nodePath, redis, work, mayPull, env = process.env }) {
  const docker = findOnPath('docker', env)[0] ?? 'docker';
  const startedAt = performance.now();
  const isPublic = mayPull && (await hasImage(docker, nodeImage, env)) && (await hasImage(docker, redisImage, env));
  const build = await builder(docker, env);
  if (isPublic) await fromPublicBases(build);
  else await fromThisMachine({ docker, build, nodePath, redis, work, env });
  const bases = isPublic ? `${nodeImage} and ${redisImage}` : "this machine's own Node and Redis";
  announce(`built the images from ${bases} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

async function hasImage(docker, image, env) {
  const present = await capture(docker, ['image', 'inspect', image], { env, timeoutMs: 30_000 });
  if (present.code === 0) return true;
  announce(`fetching the image ${image}`);
  const pulled = await capture(docker, ['pull', '--quiet', image], { env, timeoutMs: pullMs });
  if (pulled.code !== 0) announce(`docker pull: ${pulled.problem ?? pulled.stderr.trim().split('\n').at(-1)}`);
  return pulled.code === 0;
}

/** Docker without buildx, as Debian's, has only its old builder, and has to be told. */
async function builder(docker, env) {
  const hasBuildx = (await capture(docker, ['buildx', 'version'], { env, timeoutMs: 20_000 })).code === 0;
  const own = { ...env, DOCKER_BUILDKIT: hasBuildx ? '1' : '0' };
  return async ({ file, context, image, target, bases }) => {
    const options = Object.entries(bases).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    if (target !== undefined) options.push('--target', target);
    await must(docker, ['build', '--file', file, '--tag', image, ...options, context], own, { timeoutMs: buildMs });
  };
}

async function fromPublicBases(build) {
  const file = join(projectDir, 'infra', 'docker', 'Dockerfile');
  const shared = { context: projectDir, bases: {} };
  const redisFile = join(projectDir, 'infra', 'docker', 'redis.Dockerfile');
  await build({ ...shared, file, image: imageNames.scheduler, target: 'scheduler' });
  await build({ ...shared, file, image: imageNames.worker, target: 'worker' });
  await build({ ...shared, file: redisFile, image: imageNames.redis });
}

async function fromThisMachine({ docker, build, nodePath, redis, work, env }) {
  const redisCli = join(redis.path, '..', 'redis-cli');
  const bases = [
    { image: 'flotilla-machine-node', programs: { node: nodePath }, user: 'node', userId: 1000 },
    {
      image: 'flotilla-machine-redis',
      programs: { 'redis-server': redis.path, 'redis-cli': redisCli },
      ...(redis.libraryPath && { libraryPath: redis.libraryPath }),
      user: 'redis',
      userId: 999,
      folders: ['data'],
    },
  ];
  for (const base of bases) await importMachineBase(docker, join(work, base.image), base, env);

  if (!existsSync(treeIn(work))) await makeBuiltTree(work, env);
  const archive = join(work, 'tree.tar');
  await must(
    'tar',
    ['--create', '--owner=0', '--group=0', '--file', archive, '--directory', join(work, 'tree'), '.'],
    env,
  );
  await must(docker, ['import', archive, treeImage], env);
  const context = join(work, 'empty');
  mkdirSync(context);
  const file = join(context, 'Dockerfile');
  writeFileSync(file, withBuiltTree(readFileSync(join(projectDir, 'infra', 'docker', 'Dockerfile'), 'utf8')));
  const shared = { file, context, bases: { NODE_IMAGE: bases[0].image } };
  await build({ ...shared, image: imageNames.scheduler, target: 'scheduler' });
  await build({ ...shared, image: imageNames.worker, target: 'worker' });
  const redisContext = join(work, 'redis-context');
  cpSync(join(projectDir, 'infra', 'redis'), join(redisContext, 'infra', 'redis'), { recursive: true });
  await build({
    file: join(projectDir, 'infra', 'docker', 'redis.Dockerfile'),
    context: redisContext,
    image: imageNames.redis,
    bases: { REDIS_IMAGE: bases[1].image },
  });
}

/** Where the image of the first stage has the project. */
const treeIn = (work) => join(work, 'tree', 'app');

/**
 * Does the Dockerfile's first stage on this machine, into a folder below `work`. Needs compiled packages, and the
 * network or what pnpm has kept.
 * @param {string} work
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function makeBuiltTree(work, env = process.env) {
  const tree = treeIn(work);
  copyCompiled(tree);
  await must('sh', [join('infra', 'docker', 'keep-what-runs.sh')], env, { cwd: tree, timeoutMs: buildMs });
}

/** What the first stage has after it has compiled, as far as the other stages and keep-what-runs.sh need it. */
function copyCompiled(tree) {
  mkdirSync(tree, { recursive: true });
  const parts = [
    ...['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'tests/package.json'],
    ...['packages', 'apps', 'examples', 'infra'],
  ];
  for (const part of parts) {
    cpSync(join(projectDir, part), join(tree, part), {
      recursive: true,
      filter: (path) => !['node_modules', 'src', '.turbo'].includes(basename(path)),
    });
  }
}

/**
 * The Dockerfile with its first stage replaced by the image of what that stage would have made.
 * @param {string} dockerfile
 * @returns {string}
 */
export function withBuiltTree(dockerfile) {
  const stage = /^FROM \S+ AS build\n[\s\S]*?(?=^FROM )/m;
  if (!stage.test(dockerfile)) throw new Error('the Dockerfile has no stage "build" followed by another');
  return dockerfile.replace(stage, `FROM ${treeImage} AS build\n\n`);
}
