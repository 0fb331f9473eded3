import { AsyncLocalStorage } from 'node:async_hooks';

/** What runs in the name of an attempt: its handler, and whatever that leaves behind. */
export interface ScopeOwner {
  runId: string;
  stepId: string;
  attempt: number;
  /** The handler. */
  use: string;
}

/**
 * The asynchronous context of one attempt's handler: callbacks, timers and promises that it started still belong to it, also
 * after the attempt has ended.
 */
export class AttemptScope {
  readonly owner: ScopeOwner;
  #fail: ((error: Error) => void) | undefined;
  #strayError: Error | undefined;

  constructor(owner: ScopeOwner) {
    this.owner = owner;
  }

  /** The first error that escaped the handler while its attempt was under way. */
  get strayError(): Error | undefined {
    return this.#strayError;
  }

  /** Until `settle`, an error that escapes the handler fails the attempt: `onStray` is called with the first of them. */
  open(onStray: (error: Error) => void): void {
    this.#fail = onStray;
  }

  settle(): void {
    this.#fail = undefined;
  }

  /** Fails the attempt; false when it is no longer under way. */
  fail(error: Error): boolean {
    if (this.#fail === undefined) return false;
    if (this.#strayError === undefined) {
      this.#strayError = error;
      this.#fail(error);
    }
    return true;
  }
}

const scopes = new AsyncLocalStorage<AttemptScope | undefined>();

export function runInScope<T>(scope: AttemptScope, action: () => T): T {
  return scopes.run(scope, action);
}

/** For Flotilla's own work that a handler asks for: what goes wrong with it later is not the handler's doing. */
export function runOutsideScope<T>(action: () => T): T {
  return scopes.run(undefined, action);
}

/** Whose code runs now, as far as Node knows; undefined: no attempt's. */
export function currentScope(): AttemptScope | undefined {
  return scopes.getStore();
}
