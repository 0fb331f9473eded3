#!/usr/bin/env node
/** Behind `npx flotilla`: the command of the installed package, with the Node that it was started with. */
import { mkdirSync, writeFileSync } from 'node:fs';
// Node 20 has to come as far as being told that it is too old, so nothing that it lacks is imported by name.
import * as nodeModule from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commandFile, compileCacheDir, logsDir, ownDir } from './project-paths.mjs';
import { commandName, runCommand } from './run-with-redis.mjs';
import { ExitCode, runAndExit, SetupProblem } from './setup-problem.mjs';
import { isAtLeast, parseVersion } from './version.mjs';

/** As `engines` of the package says: what undici needs, and more than Node needs to run handlers in TypeScript. */
const OLDEST_NODE = { major: 22, minor: 19 };
/** Those start servers, or look for one. */
const WITH_REDIS = new Set(['up', 'dev', 'doctor', 'bench', 'chaos']);

await runAndExit(async () => {
  requireNode(process.version);
  const args = process.argv.slice(2);
  if (WITH_REDIS.has(commandName(args) ?? '')) {
    keepOutOfGit();
    process.env.FLOTILLA_LOGS ||= logsDir;
    return runCommand(process.execPath, args);
  }
  // All others need nothing started: they run in this process, so that signals reach them without a detour.
  nodeModule.enableCompileCache(process.env.NODE_COMPILE_CACHE || compileCacheDir);
  await import(pathToFileURL(commandFile).href);
  return process.exitCode ?? ExitCode.ok;
});

/** @param {string} version such as process.version */
function requireNode(version) {
  const parsed = parseVersion(version);
  if (parsed !== undefined && isAtLeast(parsed, OLDEST_NODE.major, OLDEST_NODE.minor)) return;
  throw new SetupProblem([
    `Node ${OLDEST_NODE.major}.${OLDEST_NODE.minor} or later is needed; this is ${version}.`,
    'Install a current Node from https://nodejs.org or with your package manager. @flotilla/client alone runs on Node 20.',
  ]);
}

/** Data and logs are no part of the user's project. */
function keepOutOfGit() {
  mkdirSync(ownDir, { recursive: true });
  try {
    writeFileSync(join(ownDir, '.gitignore'), '*\n', { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}
