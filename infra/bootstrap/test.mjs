/** Behind `npm test`: sets up what is missing, then runs Jest with the arguments given. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { announceOn } from './announce.mjs';
import { buildIfChanged } from './build.mjs';
import { findOrFetchRedis } from './find-redis.mjs';
import { projectDir, toolsDir } from './project-paths.mjs';
import { runUnderNode } from './run-command.mjs';
import { serverSettings } from './run-flotilla.mjs';
import { runAndExit } from './setup-problem.mjs';
import { prepareToolchain } from './toolchain.mjs';

announceOn(process.stdout);
await runAndExit(async () => {
  const { nodePath } = await prepareToolchain();
  mkdirSync(toolsDir, { recursive: true });
  const redis = await findOrFetchRedis();
  await buildIfChanged({ nodePath });
  const jest = join(projectDir, 'node_modules', 'jest', 'bin', 'jest.js');
  const nodeOptions = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return runUnderNode(nodePath, [...nodeOptions, jest, ...process.argv.slice(2)], {
    cwd: projectDir,
    env: { ...process.env, ...serverSettings(redis) },
  });
});
