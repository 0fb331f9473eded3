import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AttemptControl, IsolatedAssignment, IsolatedOutcome } from '@flotilla/executor';
import { BLOCKED_REASON, BLOCKED_SIGNAL } from '../watchdog.ts';
import type { FromProcess, ToProcess } from './messages.ts';

/** A process that has not loaded everything by then never will. */
const READY_MS = 60_000;

/** In either form the worker runs in, sources or compiled. */
const MAIN = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? 'main.ts' : 'main.js', import.meta.url));

export interface OwnProcessEvents {
  onReady: () => void;
  /** `how`: its exit code or signal. */
  onEnd: (end: { wasReady: boolean; how: string }) => void;
}

/** Why a process ended, for the error of the step that was made in it. */
export function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === BLOCKED_SIGNAL) return BLOCKED_REASON;
  return signal ?? `exit code ${code}`;
}

/** A child process of the worker that makes attempts for it, one at a time. */
export class IsolatedProcess {
  readonly #child: ChildProcess;
  readonly #events: OwnProcessEvents;
  readonly #starting: NodeJS.Timeout;
  #state: 'starting' | 'free' | 'taken' | 'ended' = 'starting';
  /** False once an attempt has come through it: what that has left behind may end it later. */
  #fresh = true;
  #freeSince = performance.now();
  #attempt: { began: boolean; settle: (end: IsolatedOutcome) => void } | undefined;

  constructor(events: OwnProcessEvents) {
    this.#events = events;
    this.#child = fork(MAIN, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#starting = setTimeout(() => this.end(), READY_MS);
    this.#child.on('message', (message: FromProcess) => this.#hear(message));
    this.#child.once('error', (error) => this.#over(error.message));
    this.#child.once('exit', (code, signal) => this.#over(describeExit(code, signal)));
  }

  get state(): 'starting' | 'free' | 'taken' | 'ended' {
    return this.#state;
  }

  /** For how long nobody has wanted it; 0 while somebody does. */
  get idleMs(): number {
    return this.#state === 'free' ? performance.now() - this.#freeSince : 0;
  }

  reserve(): void {
    this.#state = 'taken';
  }

  /** Call `reserve` first. */
  make(workerId: string, attempt: IsolatedAssignment, control: AttemptControl): Promise<IsolatedOutcome> {
    if (this.#state === 'ended') return Promise.resolve({ how: 'busy' });
    return new Promise((resolve) => {
      const abort = () => this.#tell({ what: 'abort', cause: control.cause ?? 'superseded' });
      this.#attempt = {
        began: false,
        settle: (end) => {
          control.signal.removeEventListener('abort', abort);
          this.#attempt = undefined;
          resolve(end);
        },
      };
      this.#tell({ what: 'make', workerId, attempt });
      if (control.signal.aborted) abort();
      else control.signal.addEventListener('abort', abort);
    });
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  #tell(message: ToProcess): void {
    // It may be gone already: its end is what counts then.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #hear(message: FromProcess): void {
    if (message === 'began') {
      if (this.#attempt !== undefined) this.#attempt.began = true;
      return;
    }
    clearTimeout(this.#starting);
    const attempt = this.#attempt;
    if (message !== 'ready') this.#fresh = false;
    this.#state = 'free';
    this.#freeSince = performance.now();
    if (message === 'ready') this.#events.onReady();
    else attempt?.settle({ how: message === 'ended' ? 'ended' : 'impossible' });
  }

  #over(how: string): void {
    if (this.#state === 'ended') return;
    clearTimeout(this.#starting);
    const wasReady = this.#state !== 'starting';
    this.#state = 'ended';
    const attempt = this.#attempt;
    this.#events.onEnd({ wasReady, how });
    attempt?.settle(attempt.began ? { how: 'died', message: how, alone: this.#fresh } : { how: 'busy' });
  }
}
