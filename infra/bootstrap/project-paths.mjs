import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project folder, wherever the command was called from. */
export const projectDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Everything that the bootstrap makes outside node_modules and dist. */
export const ownDir = join(projectDir, '.flotilla');
export const toolsDir = join(ownDir, 'tools');
export const dataDir = join(ownDir, 'data');
export const logsDir = join(ownDir, 'logs');
/** Where Node keeps the code that it has compiled. */
export const compileCacheDir = join(ownDir, 'compile-cache');

export const redisConfigFile = join(projectDir, 'infra', 'redis', 'redis.conf');
export const commandFile = join(projectDir, 'packages', 'cli', 'dist', 'main.js');
