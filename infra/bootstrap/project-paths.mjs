import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that Flotilla's own files stand in: the checkout, or the installed package. */
export const projectDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The workspace file is not packed. */
const isCheckout = existsSync(join(projectDir, 'pnpm-workspace.yaml'));

/** Everything that the bootstrap makes outside node_modules and dist. An installed package never writes into itself. */
export const ownDir = join(isCheckout ? projectDir : userProject(process.cwd()), '.flotilla');
export const toolsDir = join(ownDir, 'tools');
export const dataDir = join(ownDir, 'data');
export const logsDir = join(ownDir, 'logs');
/** Where Node keeps the code that it has compiled. */
export const compileCacheDir = join(ownDir, 'compile-cache');

export const redisConfigFile = join(projectDir, 'infra', 'redis', 'redis.conf');
export const commandFile = join(projectDir, 'packages', 'cli', 'dist', 'main.js');

/**
 * The nearest folder with a package.json, from `folder` upwards; `folder` itself where there is none.
 * @param {string} folder
 * @returns {string}
 */
export function userProject(folder) {
  for (let each = folder; ; each = dirname(each)) {
    if (existsSync(join(each, 'package.json'))) return each;
    if (each === dirname(each)) return folder;
  }
}
