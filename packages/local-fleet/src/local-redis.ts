import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type StartedProcess, startProcess } from './child-process.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { removeWithThisProcess } from './reaper.ts';

export interface StartRedisOptions {
  /** Default: a free one. */
  port?: number;
  /** Data folder. Default: a temporary one that is removed by `stop`. */
  dir?: string;
  /** Further arguments of redis-server; they win over the ones set here. */
  args?: readonly string[];
  /** AOF with appendfsync everysec. Default true. */
  appendOnly?: boolean;
}

export interface LocalRedis {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly pid: () => number;
  /** What the server has printed since it was last started. */
  readonly lines: () => readonly string[];
  /** Ends the server in order (data are kept on disk until then) and removes a temporary folder. Safe to call twice. */
  stop(): Promise<void>;
  /** SIGKILL; returns when the process is gone. The folder stays. */
  kill9(): Promise<void>;
  /** Starts again on the same port and folder; stops the server in order first when it still runs. */
  restart(options?: { args?: readonly string[] }): Promise<void>;
  /** SIGSTOP: frozen, with its connections open. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

/**
 * The server binary: FLOTILLA_REDIS_SERVER, else redis-server or valkey-server on PATH.
 * Undefined when there is none.
 */
export function findRedisServer(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = environment['FLOTILLA_REDIS_SERVER'];
  if (named !== undefined && named !== '') return named;
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const program of ['redis-server', 'valkey-server']) {
    for (const folder of folders) {
      const path = join(folder, program);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent or not ours to run: the next folder is asked
  }
}

/** Starts a real Redis on loopback. It is killed, and a temporary folder removed, when this process ends. */
export async function startRedis(options: StartRedisOptions = {}): Promise<LocalRedis> {
  const binary = findRedisServer();
  if (binary === undefined) {
    throw new Error('no redis-server or valkey-server on PATH, and FLOTILLA_REDIS_SERVER is not set');
  }
  const ownsDir = options.dir === undefined;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'flotilla-test-')));
  if (ownsDir) removeWithThisProcess(dir);
  let extraArgs = options.args ?? [];
  const appendOnly = options.appendOnly ?? true;
  const launch = (atPort: number): Promise<StartedProcess> => launchServer(binary, atPort, dir, appendOnly, extraArgs);

  let port = options.port ?? (await freePort());
  let server: StartedProcess;
  try {
    server = await launch(port);
  } catch (error) {
    if (options.port !== undefined || !String(error).includes('Address already in use')) throw error;
    port = await freePort(); // someone was quicker
    server = await launch(port);
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    pid: () => server.pid,
    lines: () => server.lines,
    pause: () => server.pause(),
    resume: () => server.resume(),
    async stop() {
      await server.stop();
      if (ownsDir) await rm(dir, { recursive: true, force: true });
    },
    async kill9() {
      await server.kill9();
    },
    async restart(change = {}) {
      await server.stop();
      if (change.args !== undefined) extraArgs = change.args;
      server = await launch(port);
    },
  };
}

/** It answers when it has loaded its append-only file; for that of ten thousand runs a busy machine takes a while. */
const READY_MS = 60_000;

async function launchServer(
  binary: string,
  port: number,
  dir: string,
  appendOnly: boolean,
  extraArgs: readonly string[],
): Promise<StartedProcess> {
  const libraryPath = process.env['FLOTILLA_REDIS_LIBRARY_PATH'];
  const settings = [
    ['--port', `${port}`],
    ['--bind', '127.0.0.1'],
    ['--dir', dir],
    ['--save', ''],
    ['--appendonly', appendOnly ? 'yes' : 'no'],
    ['--appendfsync', 'everysec'],
    ['--enable-debug-command', 'local'],
    ['--daemonize', 'no'],
  ].flat();
  const server = await startProcess(binary, [...settings, ...extraArgs], {
    keepLines: 500,
    env: libraryPath === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraryPath },
  });
  try {
    await eventually(
      async () => {
        if (!server.running()) return true; // the check below tells why
        return /^(\+PONG|-NOAUTH)/.test(await pingOnce(port));
      },
      { timeoutMs: READY_MS, message: `Redis on port ${port} to answer PING` },
    );
  } catch (error) {
    await server.kill9();
    throw error;
  }
  if (!server.running()) {
    throw new Error(`${binary} did not start on port ${port}:\n${server.lines.slice(-20).join('\n')}`);
  }
  return server;
}

/** The first answer to one inline PING; empty when nothing answers. */
function pingOnce(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(500, () => end(''));
    socket.once('error', () => end(''));
    socket.once('close', () => end(''));
    socket.once('data', (data) => end(data.toString('utf8')));
    socket.write('PING\r\n');
  });
}
