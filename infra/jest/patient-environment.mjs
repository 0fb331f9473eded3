import { TestEnvironment } from 'jest-environment-node';

/** The limits that tests name are for a machine of their own: others may use it, or it may have one core. */
const PATIENCE = 6;
/** A limit of minutes has its own room already. */
const MAX_LIMIT_MS = 600_000;

/** Node's environment, in which the limits of tests and hooks end only what hangs, however slow the machine is. */
export default class PatientEnvironment extends TestEnvironment {
  /** A `beforeEach` starts again and again. */
  #extended = new WeakSet();

  handleTestEvent({ name, hook, test }, { testTimeout }) {
    if (name === 'test_fn_start') this.#extend(test, testTimeout);
    if (name === 'hook_start') this.#extend(hook, testTimeout);
  }

  #extend(timed, testTimeout) {
    if (this.#extended.has(timed)) return;
    this.#extended.add(timed);
    const givenMs = timed.timeout ?? testTimeout;
    timed.timeout = Math.max(givenMs, Math.min(PATIENCE * givenMs, MAX_LIMIT_MS));
  }
}
