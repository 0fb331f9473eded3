import { type ChildProcess, spawn } from 'node:child_process';
import { within } from './eventually.ts';
import { endWithThisProcess, hasEnded } from './reaper.ts';

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartedProcess {
  readonly pid: number;
  /** Lines of stdout and stderr in the order in which they came. */
  readonly lines: readonly string[];
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Settles when the process has ended and its output is complete. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** True until the process has ended. */
  readonly running: () => boolean;
  /**
   * The first line, among those already printed too, that matches. Default 10 s. Rejects with the output when the time
   * is over or the process ends first.
   */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** SIGTERM, and SIGKILL after `graceMs` (default 5000). Safe to call twice. */
  stop(graceMs?: number): Promise<ProcessExit>;
  /** SIGKILL; returns when the process is gone. */
  kill9(): Promise<ProcessExit>;
  /** SIGSTOP: the process stands still, its sockets stay open. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Any other signal. */
  signal(name: NodeJS.Signals): void;
}

export interface StartProcessOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Oldest lines beyond this are dropped. Default 10000. */
  keepLines?: number;
}

/** Starts a program, collects its output and ends it together with this process. Rejects when it cannot be started. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: StartProcessOptions = {},
): Promise<StartedProcess> {
  const child = spawn(command, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return watch(child, `${command} ${args.join(' ')}`, options.keepLines ?? 10_000);
}

function watch(child: ChildProcess, title: string, keepLines: number): StartedProcess {
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${title} has no process id`);
  endWithThisProcess(pid);
  const lines: string[] = [];
  const text = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  const notify = (): void => {
    for (const listener of listeners) listener();
  };
  for (const name of ['stdout', 'stderr'] as const) {
    let rest = '';
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      if (lines.length > keepLines) lines.splice(0, lines.length - keepLines);
      notify();
    });
  }
  let ended = false;
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', () => hasEnded(pid));
    child.once('close', (code, signal) => {
      ended = true;
      resolve({ code, signal });
      notify();
    });
  });
  const signal = (name: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill(name);
  };
  const kill9 = (): Promise<ProcessExit> => {
    signal('SIGKILL');
    return exited;
  };

  const waitForLine = async (pattern: RegExp, timeoutMs = 10_000): Promise<RegExpMatchArray> => {
    let seen = 0;
    let listener: (() => void) | undefined;
    const found = new Promise<RegExpMatchArray>((resolve, reject) => {
      listener = () => {
        for (; seen < lines.length; seen += 1) {
          const match = lines[seen]?.match(pattern);
          if (match) return resolve(match);
        }
        if (ended) reject(new Error(`the process ended without printing ${pattern}`));
      };
      listeners.add(listener);
      listener();
    });
    try {
      return await within(found, timeoutMs, `a line that matches ${pattern}`);
    } catch (error) {
      throw new Error(`${title}: ${(error as Error).message}. Its output:\n${lines.slice(-40).join('\n')}`);
    } finally {
      if (listener !== undefined) listeners.delete(listener);
    }
  };

  return {
    pid,
    lines,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    exited,
    running: () => !ended,
    waitForLine,
    kill9,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    signal,
    async stop(graceMs = 5000) {
      // A stopped process would never see SIGTERM.
      signal('SIGCONT');
      signal('SIGTERM');
      const timer = setTimeout(() => signal('SIGKILL'), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
