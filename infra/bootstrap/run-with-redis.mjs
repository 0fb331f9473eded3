import { runningRedis, startEmbeddedRedis } from './embedded-redis.mjs';
import { findOrFetchRedis, findRedis } from './find-redis.mjs';
import { commandPath, runUnderNode } from './run-command.mjs';

/** Whoever starts processes brings a Redis along. */
const SERVING = ['up', 'dev'];

/**
 * Runs the compiled `flotilla` command and, for the commands that need one, Redis. Returns the exit code.
 * @param {string} nodePath
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function runCommand(nodePath, args, env = process.env) {
  const command = commandPath();
  if (needsEmbeddedRedis(args, env)) return withEmbeddedRedis(nodePath, [command, ...args], env);
  return runUnderNode(nodePath, [command, ...args], {
    env: { ...env, ...(await redisSettings(args, env)) },
    endsWithUs: startsProcesses(args),
  });
}

async function withEmbeddedRedis(nodePath, args, env) {
  const redis = await startEmbeddedRedis();
  // While we still wait for the command after a signal, Redis must stay: the command drains into it.
  try {
    return await runUnderNode(nodePath, args, {
      env: { ...env, REDIS_URL: redis.url },
      onStart: (pid) => redis.endTogetherWith(pid),
      endsWithUs: true,
    });
  } finally {
    await redis.stop();
  }
}

/** @param {readonly string[]} args */
export function commandName(args) {
  return args.find((argument) => !argument.startsWith('-'));
}

/**
 * `up` and `dev` run the processes that talk to Redis; all other commands talk HTTP.
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
export function needsEmbeddedRedis(args, env) {
  return (
    SERVING.includes(commandName(args) ?? '') && !env.REDIS_URL && !args.includes('--help') && !args.includes('-h')
  );
}

/**
 * These would leave a fleet behind when the launcher is killed; all others only ask.
 * @param {readonly string[]} args
 */
export function startsProcesses(args) {
  return [...SERVING, 'bench', 'chaos'].includes(commandName(args) ?? '');
}

/** For the commands that start servers of their own, or look at what is there. */
async function redisSettings(args, env) {
  const name = commandName(args);
  if (args.includes('--help') || args.includes('-h')) return {};
  if (name === 'bench' || name === 'chaos') return serverSettings(await findOrFetchRedis({ env }));
  if (name !== 'doctor') return {};
  const running = env.REDIS_URL ? undefined : await runningRedis();
  return { ...serverSettings(await findRedis({ env })), ...(running === undefined ? {} : { REDIS_URL: running.url }) };
}

/**
 * @param {import('./find-redis.mjs').RedisServer | undefined} server
 * @returns {Record<string, string>}
 */
export function serverSettings(server) {
  if (server === undefined) return {};
  const { path, libraryPath } = server;
  return { FLOTILLA_REDIS_SERVER: path, ...(libraryPath ? { FLOTILLA_REDIS_LIBRARY_PATH: libraryPath } : {}) };
}
