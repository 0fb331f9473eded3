import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { projectDir } from '../bootstrap/project-paths.mjs';
import { capture } from '../bootstrap/run-program.mjs';
import { guideFile } from './guide.mjs';

/** An installation fetches some two hundred packages. */
const COMMAND_MS = 180_000;
const READY_MS = 60_000;
const END_MS = 60_000;

const { stdout } = await capture('npm', ['config', 'get', 'registry']);
const registry = stdout.trim();

/** A project as a user has it: an empty folder outside of the repository, the guide's files, and the tarballs. */
export class UserProject {
  folder;
  #env;

  /**
   * @param {string} folder
   * @param {{ tarballs: readonly string[], nodeFolder: string }} options `nodeFolder`: where the `node` to use is
   */
  constructor(folder, { tarballs, nodeFolder }) {
    this.folder = folder;
    const example = join(projectDir, 'examples', 'own-project');
    mkdirSync(join(folder, 'vendor'), { recursive: true });
    for (const file of ['src', 'hello.yaml']) cpSync(join(example, file), join(folder, file), { recursive: true });
    for (const tarball of tarballs) cpSync(tarball, join(folder, 'vendor', basename(tarball)));
    this.write('package.json', '{ "name": "users-own", "private": true, "type": "module" }\n');
    this.write('tsconfig.json', guideFile('compilerOptions'));
    // Who signs for the registry is the machine's to say, as it is of a person's terminal there.
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(FLOTILLA_|REDIS_URL|NODE_(?!EXTRA_CA_CERTS)|npm_)/.test(name),
    );
    this.#env = {
      ...Object.fromEntries(own),
      PATH: [nodeFolder, process.env.PATH].join(delimiter),
      npm_config_prefer_offline: 'true',
      // Where npm gets its packages, the others do, too.
      npm_config_registry: registry,
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
    };
  }

  /**
   * @param {string} file
   * @param {string} text
   */
  write(file, text) {
    writeFileSync(join(this.folder, file), text);
  }

  /** Where the project's scheduler listens, for the commands that follow. */
  useScheduler(url) {
    this.#env.FLOTILLA_URL = url;
  }

  /**
   * Runs a command line in the project, as a person would in a terminal there.
   * @param {string} line
   * @returns {Promise<string>} what it has printed; rejects when its exit code is not 0
   */
  async run(line) {
    const { code, stdout, stderr, problem } = await this.capture(line);
    assert.equal(code, 0, `${line}: ${problem ?? `exit code ${code}`}\n${stdout}${stderr}`);
    return stdout;
  }

  /**
   * Like `run`, whatever the exit code. What is not done in time is ended with all that it has started.
   * @param {string} line
   * @returns {Promise<{ code: number | null, stdout: string, stderr: string, problem?: string }>}
   */
  capture(line) {
    const child = spawn('sh', ['-c', line], { ...this.#spawnOptions(), detached: true });
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (words) => {
        text[name] += words;
      });
    }
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        process.kill(-child.pid, 'SIGKILL');
        resolve({ code: null, ...text, problem: `not done within ${COMMAND_MS / 1000} s` });
      }, COMMAND_MS);
      child.once('close', (code) => {
        clearTimeout(late);
        resolve({ code, ...text });
      });
    });
  }

  #spawnOptions() {
    return { cwd: this.folder, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] };
  }

  /**
   * Starts a command that serves.
   * @param {string} line
   * @returns {Promise<{ url: string, printed: () => string, stop: () => Promise<void> }>} once it says that it serves
   */
  async serve(line) {
    const child = spawn('sh', ['-c', line], { ...this.#spawnOptions(), detached: true });
    let text = '';
    // Closed when all that it has started has ended, too.
    const ended = new Promise((resolve) => child.once('close', resolve));
    const ready = new Promise((resolve) => {
      const hear = (words) => {
        text += words;
        if (text.includes('Serving until Ctrl-C')) resolve('ready');
      };
      child.stdout.setEncoding('utf8').on('data', hear);
      child.stderr.setEncoding('utf8').on('data', hear);
    });
    const stop = async () => {
      // To the whole group, as Ctrl-C in a terminal: npx does not pass signals on.
      const signal = (name) => process.kill(-child.pid, name);
      signal('SIGTERM');
      const force = setTimeout(signal, END_MS, 'SIGKILL');
      await ended;
      clearTimeout(force);
    };
    const outcome = await Promise.race([ready, ended, delay(READY_MS, 'late', { ref: false })]);
    if (outcome !== 'ready') {
      await stop();
      assert.fail(`${line}: ${outcome === 'late' ? 'not ready in time' : 'it ended'}\n${text}`);
    }
    const url = /(http:\/\/[\d.]+:\d+)\/v1\/runs/.exec(text)?.[1];
    return { url, printed: () => text, stop };
  }
}
