import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { commandFile, compileCacheDir, projectDir } from './project-paths.mjs';
import { ExitCode, SetupProblem } from './setup-problem.mjs';

/** A URL, as Node's option takes: a path with `#`, `%` or `?` in it would mean something else there. */
const END_WITH_LAUNCHER = new URL('end-with-launcher.mjs', import.meta.url).href;

/**
 * Runs a program of the project under Node 24 with our own input and output, passes signals on, and returns its exit
 * code (128 + signal number when a signal ended it).
 * @param {string} nodePath
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, onStart?: (pid: number) => void, endsWithUs?: boolean }} [options]
 *   `endsWithUs`: the program gets SIGTERM when this process is gone, however it ended.
 * @returns {Promise<number>}
 */
export function runUnderNode(nodePath, args, { env = process.env, cwd, onStart, endsWithUs = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(nodePath, endsWithUs ? [`--import=${END_WITH_LAUNCHER}`, ...args] : args, {
      stdio: ['inherit', 'inherit', 'inherit', endsWithUs ? 'pipe' : 'ignore'],
      cwd,
      env: programEnvironment(nodePath, env),
    });
    const stopForwarding = forwardSignals(child);
    child.once('spawn', () => onStart?.(child.pid));
    child.once('error', (error) => {
      stopForwarding();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      stopForwarding();
      resolve(signal === null ? (code ?? ExitCode.failed) : 128 + constants.signals[signal]);
    });
  });
}

/** The compiled `flotilla` command. */
export function commandPath() {
  if (!existsSync(commandFile)) {
    throw new SetupProblem(`${commandFile} is missing after compiling. Remove .flotilla/build-stamp and try again.`, 1);
  }
  return commandFile;
}

/**
 * For the program and for whatever it starts: `node` means Node 24, and code that was compiled once is not compiled again,
 * which is more than half of the work of a start.
 * @param {string} nodePath
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function programEnvironment(nodePath, env) {
  return {
    NODE_COMPILE_CACHE: compileCacheDir,
    ...env,
    PATH: `${dirname(nodePath)}:${join(projectDir, 'node_modules', '.bin')}:${env.PATH ?? ''}`,
  };
}

/**
 * A terminal sends Ctrl-C to the whole foreground group, so the child has it already; sending it again would look like
 * a second Ctrl-C, which asks for an end without draining.
 */
function forwardSignals(child) {
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const listener = () => {
      if (signal === 'SIGINT' && atTerminal) return;
      child.kill(signal);
    };
    process.on(signal, listener);
    return [signal, listener];
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
