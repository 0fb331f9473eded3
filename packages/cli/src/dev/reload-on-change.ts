import { relative } from 'node:path';
import type { ProcessEnd, SupervisedProcess } from '../up/supervised-process.ts';
import { WatchedFiles } from './watched-files.ts';
import { readWorkerMessage } from './worker-messages.ts';

export interface ReloadOptions {
  cwd: string;
  /** One line for people. */
  say(line: string): void;
  /** For people: what a process that ended has said last. */
  lastWords(process: SupervisedProcess): Promise<readonly string[]>;
}

/**
 * Has workers replaced when a file that their handlers import has changed: one with the new code is started, and when it is
 * ready the old one takes no more and ends after the attempts that it makes, none of which is charged. When the new code
 * cannot be loaded, the old one stays.
 */
export class ReloadOnChange {
  readonly #options: ReloadOptions;
  readonly #files: WatchedFiles;
  #workers: readonly SupervisedProcess[] = [];
  #waiting = new Set<string>();
  #turn: Promise<void> | undefined;
  #closed = false;

  constructor(options: ReloadOptions) {
    this.#options = options;
    this.#files = new WatchedFiles((files) => this.#onChange(files));
  }

  /** To be called with everything that a worker says. */
  hear(message: unknown): void {
    const said = readWorkerMessage(message);
    if (said?.what === 'imported' && !this.#closed) this.#files.add(said.file);
  }

  /** From now on; what has changed before is made up for. */
  start(workers: readonly SupervisedProcess[]): void {
    this.#workers = workers;
    this.#go();
  }

  close(): void {
    this.#closed = true;
    this.#files.close();
  }

  #onChange(files: readonly string[]): void {
    for (const file of files) this.#waiting.add(relative(this.#options.cwd, file));
    this.#go();
  }

  /** One replacement at a time; what changes meanwhile makes one more. */
  #go(): void {
    if (this.#turn !== undefined || this.#closed || this.#waiting.size === 0 || this.#workers.length === 0) return;
    const changed = [...this.#waiting].join(', ');
    this.#waiting = new Set();
    this.#turn = this.#replaceAll(changed).finally(() => {
      this.#turn = undefined;
      this.#go();
    });
  }

  async #replaceAll(changed: string): Promise<void> {
    const startedAt = performance.now();
    const { say, lastWords } = this.#options;
    for (const worker of this.#workers) {
      const end: ProcessEnd | undefined = await worker.replace();
      if (this.#closed) return;
      if (end !== undefined) {
        say(`${changed} changed, but cannot be used; the handlers from before stay: ${worker.name} ${end.how}`);
        for (const line of await lastWords(worker)) say(`  ${line}`);
        return;
      }
    }
    say(`${changed} changed: handlers reloaded after ${Math.round(performance.now() - startedAt)} ms`);
  }
}
