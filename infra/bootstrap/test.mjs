/** Behind `npm test`: sets up what is missing, then runs Jest with the arguments given. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { announce, announceOn } from './announce.mjs';
import { buildIfChanged } from './build.mjs';
import { findOrFetchRedis } from './find-redis.mjs';
import { projectDir, toolsDir } from './project-paths.mjs';
import { runUnderNode } from './run-command.mjs';
import { serverSettings } from './run-with-redis.mjs';
import { ExitCode, runAndExit, SetupProblem } from './setup-problem.mjs';
import { prepareToolchain } from './toolchain.mjs';

announceOn(process.stdout);
await runAndExit(async () => {
  const { nodePath } = await prepareToolchain();
  mkdirSync(toolsDir, { recursive: true });
  const redis = await findOrFetchRedis();
  const compiled = await compile(nodePath);
  const jest = join(projectDir, 'node_modules', 'jest', 'bin', 'jest.js');
  const nodeOptions = [
    '--conditions=@flotilla/source',
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
  ];
  const code = await runUnderNode(nodePath, [...nodeOptions, jest, ...process.argv.slice(2)], {
    cwd: projectDir,
    env: { ...process.env, ...serverSettings(redis) },
  });
  if (!compiled) announce('the tests ran, but the sources do not compile; see above');
  return compiled ? code : code || ExitCode.failed;
});

/** Most tests run from the sources, so their results are worth having even when something does not compile. */
async function compile(nodePath) {
  try {
    await buildIfChanged({ nodePath });
    return true;
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error;
    for (const line of error.lines) announce(line);
    return false;
  }
}
