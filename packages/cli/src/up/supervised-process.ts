import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface ProcessEnd {
  /** For people: `ended with code 2`, `was ended by SIGKILL`. */
  how: string;
  /** Undefined when a signal ended it or it never started. */
  code: number | undefined;
}

export interface SupervisedOptions {
  /** For people and for the log's name: `scheduler`, `worker-1`. */
  name: string;
  /** For Node. */
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  /** Called when it ended although nobody asked it to, before it is started again. */
  onCrash(how: string): void;
}

/** Pause before the first restart; doubles with each, up to the longest. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** So many crashes within the window, and it is given up: what does not stay up will not by trying more. */
const MOST_CRASHES = 5;
const CRASH_WINDOW_MS = 60_000;
const LAST_LINES = 8;
/** The scheduler's word for "the data are gone" (DATA_LOSS): started again it would begin anew in an empty store. */
const DATA_LOSS_EXIT = 74;

/** A process that is started again when it ends by itself, until it is stopped or has ended too often. */
export class SupervisedProcess {
  readonly name: string;
  readonly logFile: string;
  /** Settles, with how it ended the last time, when it is not started again. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  #end: (end: ProcessEnd) => void = () => undefined;
  readonly #options: SupervisedOptions;
  #child: ChildProcess | undefined;
  #stopping = false;
  /** Until the fleet is ready, ending means that something is set up wrong: it is not tried again. */
  #restarts = false;
  #crashes: number[] = [];
  #pause: NodeJS.Timeout | undefined;

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.name = options.name;
    this.logFile = options.logFile;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    mkdirSync(dirname(options.logFile), { recursive: true });
    keepFormerLog(options.logFile);
    this.#start('w');
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** From now on a crash is followed by a restart. */
  keepUp(): void {
    this.#restarts = true;
  }

  /** From now on it may end: Ctrl-C in a terminal reaches it before we ask. */
  letEnd(): void {
    this.#restarts = false;
  }

  /** Asks it to drain; resolves when it has ended. After `graceMs` it is killed. Safe to call twice. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#pause !== undefined) {
      clearTimeout(this.#pause);
      this.#end({ how: 'was stopped', code: undefined });
    }
    this.#child?.kill('SIGTERM');
    const force = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(force);
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }

  /** The end of its log, for an error. */
  async lastLines(): Promise<string[]> {
    try {
      const text = await readFile(this.logFile, 'utf8');
      return text.trimEnd().split('\n').slice(-LAST_LINES).filter(Boolean);
    } catch (error) {
      return [`its log cannot be read: ${(error as Error).message}`];
    }
  }

  #start(logFlag: 'w' | 'a'): void {
    this.#pause = undefined;
    // The log is written by the process itself: nothing is lost when we are busy or gone.
    const log = openSync(this.#options.logFile, logFlag);
    const child = spawn(process.execPath, [...this.#options.args], {
      stdio: ['pipe', log, log],
      env: this.#options.env,
    });
    closeSync(log);
    this.#child = child;
    child.stdin?.on('error', () => undefined); // the process has ended; its exit is what counts
    child.once('error', (error) => this.#ended({ how: `cannot be started: ${error.message}`, code: undefined }));
    child.once('exit', (code, signal) => {
      const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
      this.#ended({ how, code: code ?? undefined });
    });
  }

  #ended(end: ProcessEnd): void {
    this.#child = undefined;
    if (this.#stopping || !this.#restarts || end.code === DATA_LOSS_EXIT) {
      this.#end(end);
      return;
    }
    this.#options.onCrash(end.how);
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((atMs) => now - atMs < CRASH_WINDOW_MS), now];
    if (this.#crashes.length >= MOST_CRASHES) {
      this.#end({ ...end, how: `${end.how}, ${MOST_CRASHES} times within ${CRASH_WINDOW_MS / 1000} s` });
      return;
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#crashes.length - 1), LONGEST_PAUSE_MS);
    this.#pause = setTimeout(() => this.#start('a'), pauseMs);
  }
}

/** What the process of that name said last is what people look for after a restart; a fleet that still runs goes on writing there. */
function keepFormerLog(logFile: string): void {
  try {
    renameSync(logFile, logFile.replace(/(\.log)?$/, '.previous.log'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
