import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LEAVE, readWorkerMessage } from '../dev/worker-messages.ts';
import { rotateLog } from './rotate-log.ts';

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
  /** Beyond this it moves to `NAME.1.log`. Default 20 MiB. */
  maxLogBytes?: number;
  /** Gives it a channel: what it says there. Needed for `replace`. */
  onMessage?(message: unknown): void;
  /** Called when it ended although nobody asked it to, before it is started again. */
  onCrash(crash: Crash): void;
}

export interface Crash {
  how: string;
  /** Until it is started again. */
  pauseMs: number;
  /** How often it has ended of late, this time included. */
  recentCrashes: number;
}

/** Pause before the first restart; doubles with each, up to the longest. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** A process that has stayed up for this long is one that stays up: the pauses begin with the first again. */
const STAYED_UP_MS = 60_000;
const LAST_LINES = 8;
const MAX_LOG_BYTES = 20 * 1024 * 1024;
const CHECK_LOG_EVERY_MS = 1000;
/** The scheduler's word for "the data are gone" (DATA_LOSS): started again it would begin anew in an empty store. */
const DATA_LOSS_EXIT = 74;
/** Wrong configuration or handlers, Redis out of reach: before the fleet was ready, another start would end the same way. */
const SET_UP_EXITS: ReadonlySet<number | undefined> = new Set([2, 3]);
/** So many ends before the fleet was ready are no accident either. */
const MAX_EARLY_ENDS = 5;

/**
 * A process that is started again when it ends by itself, ever more slowly, until it is stopped. It is given up only while the
 * fleet starts, and when it says that the data are gone: one part that does not stay up is no reason to end the others.
 */
export class SupervisedProcess {
  readonly name: string;
  readonly logFile: string;
  /** Settles, with how it ended last, when it is not started again. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  #end: (end: ProcessEnd) => void = () => undefined;
  readonly #options: SupervisedOptions;
  #child: ChildProcess | undefined;
  /** Beside it: the next one until it is ready, and former ones until they have ended. */
  readonly #others = new Map<ChildProcess, Promise<unknown>>();
  #stopping = false;
  #mayEnd = false;
  #isFleetReady = false;
  #recentCrashes = 0;
  #startedAt = 0;
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
    const checkLog = setInterval(() => this.#boundLog(), CHECK_LOG_EVERY_MS).unref();
    this.ended.finally(() => clearInterval(checkLog));
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The fleet is ready: from now on every crash is followed by a restart. */
  keepUp(): void {
    this.#isFleetReady = true;
  }

  /** From now on it may end: Ctrl-C in a terminal reaches it before we ask. */
  letEnd(): void {
    this.#mayEnd = true;
  }

  /** Asks it to drain; resolves when it has ended. After `graceMs` it is killed. Safe to call twice. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#pause !== undefined) {
      clearTimeout(this.#pause);
      this.#end({ how: 'was stopped', code: undefined });
    }
    for (const child of this.#all()) child.kill('SIGTERM');
    const force = setTimeout(() => this.kill(), graceMs);
    await Promise.all([this.ended, ...this.#others.values()]);
    clearTimeout(force);
  }

  kill(): void {
    this.#stopping = true;
    for (const child of this.#all()) child.kill('SIGKILL');
  }

  /**
   * Starts another one, and when it says that it is ready has it take the place of this one, which is asked to leave. Resolves
   * then, or with the end of the new one when it has ended instead: this one stays.
   */
  async replace(): Promise<ProcessEnd | undefined> {
    const next = this.#spawn();
    const end = new Promise<ProcessEnd>((resolve) => onEnd(next, resolve));
    this.#beside(next, end);
    const ready = new Promise<undefined>((resolve) => {
      next.on('message', (message) => {
        if (readWorkerMessage(message)?.what === 'ready') resolve(undefined);
      });
    });
    const outcome = await Promise.race([ready, end]);
    if (outcome !== undefined || this.#stopping) return outcome;
    const former = this.#child;
    this.#others.delete(next);
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#child = next;
    this.#startedAt = performance.now();
    void end.then((how) => this.#ended(next, how));
    if (former !== undefined) {
      this.#beside(former, new Promise((resolve) => onEnd(former, resolve)));
      former.send(LEAVE, () => undefined); // it may have ended in this moment
    }
    return undefined;
  }

  #beside(child: ChildProcess, end: Promise<unknown>): void {
    this.#others.set(
      child,
      end.finally(() => this.#others.delete(child)),
    );
  }

  #all(): ChildProcess[] {
    return [...(this.#child === undefined ? [] : [this.#child]), ...this.#others.keys()];
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

  #boundLog(): void {
    try {
      rotateLog(this.logFile, this.#options.maxLogBytes ?? MAX_LOG_BYTES);
    } catch {
      // No room for the copy, say: what is there stays, and the next check tries again.
    }
  }

  #start(): void {
    this.#pause = undefined;
    this.#startedAt = performance.now();
    const child = this.#spawn();
    this.#child = child;
    onEnd(child, (end) => this.#ended(child, end));
  }

  #spawn(): ChildProcess {
    // The log is written by the process itself: nothing is lost when we are busy or gone. It appends, so the file can be emptied.
    const log = openSync(this.#options.logFile, 'a');
    const { onMessage } = this.#options;
    const child = spawn(process.execPath, [...this.#options.args], {
      stdio: ['pipe', log, log, ...(onMessage === undefined ? [] : ['ipc' as const])],
      env: this.#options.env,
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined); // the process has ended; its exit is what counts
    if (onMessage !== undefined) child.on('message', onMessage);
    return child;
  }

  #ended(child: ChildProcess, end: ProcessEnd): void {
    if (child !== this.#child) return; // another one has taken its place
    this.#child = undefined;
    const now = performance.now();
    if (now - this.#startedAt >= STAYED_UP_MS) this.#recentCrashes = 0;
    this.#recentCrashes += 1;
    if (this.#isFinal(end)) {
      this.#end(end);
      return;
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#recentCrashes - 1), MAX_PAUSE_MS);
    this.#options.onCrash({ how: end.how, pauseMs, recentCrashes: this.#recentCrashes });
    this.#pause = setTimeout(() => this.#start(), pauseMs);
  }

  #isFinal({ code }: ProcessEnd): boolean {
    if (this.#stopping || this.#mayEnd || code === DATA_LOSS_EXIT) return true;
    return !this.#isFleetReady && (SET_UP_EXITS.has(code) || this.#recentCrashes >= MAX_EARLY_ENDS);
  }
}

function onEnd(child: ChildProcess, listener: (end: ProcessEnd) => void): void {
  child.once('error', (error) => listener({ how: `cannot be started: ${error.message}`, code: undefined }));
  child.once('exit', (code, signal) => {
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    listener({ how, code: code ?? undefined });
  });
}

/** What the process of that name said last is what people look for after a restart; a fleet that still runs goes on writing there. */
function keepFormerLog(logFile: string): void {
  try {
    renameSync(logFile, logFile.replace(/(\.log)?$/, '.previous.log'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
