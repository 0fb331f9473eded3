import { buildIfChanged } from './build.mjs';
import { runCommand } from './run-with-redis.mjs';
import { prepareToolchain } from './toolchain.mjs';

/**
 * The `flotilla` command of a checkout with everything it needs in place: packages, Node 24, compiled code and Redis.
 * Returns the exit code.
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function runFlotilla(args, env = process.env) {
  const { nodePath } = await prepareToolchain();
  await buildIfChanged({ nodePath });
  return runCommand(nodePath, args, env);
}
