import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, renameSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { announce } from './announce.mjs';
import { seconds } from './elapsed.mjs';
import { findOrFetchRedis } from './find-redis.mjs';
import { freePort } from './free-port.mjs';
import { isSameProcess, processIdentity } from './process-identity.mjs';
import { dataDir, logsDir, redisConfigFile } from './project-paths.mjs';
import { claimRecord, readRecord, releaseRecord, updateRecord } from './redis-record.mjs';
import { answersPing, askRedis, dataFolderOf } from './redis-wire.mjs';
import { SetupProblem } from './setup-problem.mjs';
import { Watchdog } from './watchdog.mjs';

const startDeadlineMs = 60_000; // a large append-only file takes its time to load
const stopDeadlineMs = 15_000;
const pollMs = 25;
const restartsPerMinute = 5;
const largestLogBytes = 10 * 1024 * 1024;

/**
 * @typedef {object} EmbeddedRedis
 * @property {string} url
 * @property {number} port
 * @property {boolean} reused true when another flotilla command of this project has started it
 * @property {(pid: number) => void} endTogetherWith names the program that is ended before Redis when we are killed
 * @property {() => Promise<void>} stop in order, with everything on disk; nothing when reused
 */

/**
 * The project's own Redis: a `redis-server` child on a free loopback port, with an append-only file in the project's
 * data folder. When one of this project runs already, that one is used; one whose owner has died is stopped first.
 * @param {{ data?: string, logs?: string, find?: () => Promise<import('./find-redis.mjs').RedisServer> }} [options]
 * @returns {Promise<EmbeddedRedis>}
 */
export async function startEmbeddedRedis({ data: folder = dataDir, logs = logsDir, find = findOrFetchRedis } = {}) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const data = realpathSync(folder); // as Redis itself names it
  mkdirSync(logs, { recursive: true });
  const running = await takeOver(data);
  if (running !== undefined) {
    announce(`using the Redis of this project that process ${running.ownerPid} has started, on port ${running.port}`);
    const nothing = () => {};
    return {
      url: urlOf(running.port),
      port: running.port,
      reused: true,
      endTogetherWith: nothing,
      stop: async () => {},
    };
  }
  try {
    return await new Supervisor(await find(), data, logs).start();
  } catch (error) {
    releaseRecord(data);
    throw error;
  }
}

/** The project's own Redis if it runs and answers. Starts and stops nothing. */
export async function runningRedis(data = dataDir) {
  const record = readRecord(data);
  if (record?.port === undefined || !(await isOurs(record.port, data))) return undefined;
  return { url: urlOf(record.port), port: record.port };
}

/**
 * Notes this process down as the owner of the data folder. Returns the record of the other owner when there is one
 * whose Redis answers.
 */
async function takeOver(data) {
  const deadline = performance.now() + startDeadlineMs;
  while (!claimRecord(data)) {
    const record = readRecord(data);
    if (record === undefined) continue; // released, or being written, in this moment
    const ownerLives = isSameProcess({ pid: record.ownerPid, identity: record.ownerIdentity });
    if (ownerLives && record.port !== undefined && (await isOurs(record.port, data))) return record;
    if (!ownerLives) {
      await stopOrphan(record, data);
      releaseRecord(data, record.ownerPid);
    } else if (performance.now() > deadline) {
      throw new SetupProblem([
        `process ${record.ownerPid} holds the data folder ${data}, but its Redis does not answer.`,
        'End that process, or set REDIS_URL to use another Redis.',
      ]);
    } else await delay(pollMs);
  }
  return undefined;
}

/** A Redis whose owner was killed, and whose watchdog was killed as well. */
async function stopOrphan(record, data) {
  if (record.port === undefined) return;
  const orphan = { pid: record.serverPid, identity: record.serverIdentity };
  if (await isOurs(record.port, data)) {
    announce(`stopping the Redis on port ${record.port} that an earlier, killed command has left behind`);
    await askRedis(record.port, ['SHUTDOWN'], stopDeadlineMs); // closes the connection instead of an answer
  } else if (isSameProcess(orphan)) {
    announce(`stopping the Redis process ${orphan.pid}, which an earlier, killed command has left and which is stuck`);
    process.kill(orphan.pid, 'SIGKILL');
  }
  const deadline = performance.now() + stopDeadlineMs;
  while (isSameProcess(orphan)) {
    if (performance.now() > deadline) {
      throw new SetupProblem(`the Redis process ${orphan.pid} of an earlier command does not end. End it yourself.`);
    }
    await delay(pollMs);
  }
}

/** Whether the server on that port is the one that keeps our data folder. */
async function isOurs(port, data) {
  return (await dataFolderOf(port)) === data;
}

function urlOf(port) {
  return `redis://127.0.0.1:${port}`;
}

/** Starts the server, starts it again when it ends by itself, and stops it in order. */
class Supervisor {
  #server;
  #data;
  #logFile;
  #child;
  #ended;
  #stopping = false;
  #restarts = [];
  #watchdog;

  constructor(server, data, logs) {
    this.#server = server;
    this.#data = data;
    this.#logFile = join(logs, 'redis.log');
  }

  async start() {
    const startedAt = performance.now();
    putLargeLogAside(this.#logFile);
    this.#watchdog = new Watchdog();
    try {
      await this.#launchOnFreePort();
    } catch (error) {
      await this.#watchdog.dismiss();
      throw error;
    }
    const { version, origin } = this.#server;
    announce(
      `started Redis ${version} (${origin}) on port ${this.port} after ${seconds(startedAt)} s; data in ${this.#data}`,
    );
    return {
      url: urlOf(this.port),
      port: this.port,
      reused: false,
      endTogetherWith: (pid) => this.#watchdog.watch({ commandPid: pid }),
      stop: () => this.#stop(),
    };
  }

  async #launchOnFreePort() {
    for (let attempt = 1; ; attempt += 1) {
      this.port = await freePort();
      try {
        return await this.#launch();
      } catch (error) {
        if (attempt === 5 || !error.message.includes('Address already in use')) throw error;
      }
    }
  }

  /** Returns when the server answers; rejects with the end of its log when it ends instead. */
  async #launch() {
    const { path, libraryPath } = this.#server;
    const logStart = sizeOf(this.#logFile);
    const child = spawn(path, serverArguments(this.port, this.#data, this.#logFile), {
      cwd: this.#data,
      // A group of its own: Ctrl-C is for the command, which drains first; Redis ends after it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: libraryPath === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraryPath },
    });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      words = (words + text).slice(-2000);
    });
    const ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : signal));
    });
    this.#child = child;
    this.#ended = ended;
    if (child.pid !== undefined) {
      this.#watchdog.watch({ serverPid: child.pid });
      updateRecord(this.#data, { serverPid: child.pid, serverIdentity: processIdentity(child.pid), port: this.port });
    }
    const giveUp = new AbortController();
    ended.then(() => giveUp.abort());
    const outcome = await Promise.race([
      ended.then((how) => ({ how })),
      untilReady(this.port, this.#data, giveUp.signal),
    ]);
    if (outcome?.how !== undefined) {
      this.#watchdog.watch({ serverPid: undefined });
      throw new SetupProblem([
        `Redis (${path}) did not start: ${outcome.how}. The end of ${this.#logFile}:`,
        ...`${textSince(this.#logFile, logStart)}\n${words}`
          .trim()
          .split('\n')
          .slice(-8)
          .map((line) => `  ${line}`),
      ]);
    }
    if (outcome === 'late') {
      child.kill('SIGKILL');
      throw new SetupProblem(
        `Redis (${path}) did not answer within ${startDeadlineMs / 1000} s. See ${this.#logFile}.`,
      );
    }
    ended.then((how) => this.#onEnd(how));
  }

  async #onEnd(how) {
    this.#watchdog.watch({ serverPid: undefined });
    if (this.#stopping) return;
    const now = performance.now();
    this.#restarts = [...this.#restarts.filter((at) => now - at < 60_000), now];
    if (this.#restarts.length > restartsPerMinute) {
      announce(`Redis ended again (${how}); not starting it any more. See ${this.#logFile}.`);
      return;
    }
    announce(`Redis ended by itself (${how}); starting it again on the same port`);
    try {
      await this.#launch();
    } catch (error) {
      announce(error.message);
      if (!this.#stopping) await this.#onEnd('it did not start');
    }
  }

  async #stop() {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#child.kill('SIGTERM'); // Redis writes and syncs its append-only file before it ends
    const timer = setTimeout(() => {
      announce(
        `Redis did not end within ${stopDeadlineMs / 1000} s; killing it (everything acknowledged is in the file)`,
      );
      this.#child.kill('SIGKILL');
    }, stopDeadlineMs);
    await this.#ended;
    clearTimeout(timer);
    await this.#watchdog.dismiss();
    releaseRecord(this.#data);
  }
}

/** What differs from machine to machine; everything else is in infra/redis/redis.conf. */
function serverArguments(port, data, logFile) {
  return [
    redisConfigFile,
    ...['--port', `${port}`],
    ...['--bind', '127.0.0.1'],
    ...['--dir', data],
    ...['--logfile', logFile],
    ...['--maxmemory', `${Math.floor(availableMemoryBytes() / 2)}`],
  ];
}

/** A container's limit where there is one, else the machine's memory. */
function availableMemoryBytes() {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

async function untilReady(port, data, giveUp) {
  const deadline = performance.now() + startDeadlineMs;
  while (performance.now() < deadline && !giveUp.aborted) {
    // The data folder tells our server from a stranger's that was quicker to take the port.
    if ((await isOurs(port, data)) && (await answersPing(port))) return 'ready';
    await delay(pollMs);
  }
  return 'late';
}

function putLargeLogAside(file) {
  if (sizeOf(file) > largestLogBytes) renameSync(file, `${file}.1`);
}

function sizeOf(file) {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function textSince(file, start) {
  return sizeOf(file) === 0 ? '' : readFileSync(file).subarray(start).toString('utf8');
}
