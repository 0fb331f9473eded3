import type { Plan } from '@flotilla/engine';
import type { Executor } from '@flotilla/executor';
import {
  type AgentRecord,
  DEFAULT_LEASE_DURATION_MS,
  deploymentKeys,
  type State,
  sayGoodbye,
  signOfLife,
} from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';

/** The lease outlives one missed renewal and a pause of five seconds. */
const RENEWAL_MS = 2500;
/** Changed durations are told sooner: the relay sizes its tasks by them. */
const TELL_DURATIONS_MS = 200;

export interface LeaseKeeperOptions {
  state: State<Plan>;
  executor: Executor;
  logger: Logger;
  /** What the worker says of itself now. */
  describe: () => AgentRecord;
}

/**
 * Keeps the worker's lease and its record in the fleet. It has no timer of its own: the loops that take work call `turn`,
 * so a worker that takes none soon stops to look alive.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #toldAt = 0;
  #renewal: Promise<void> | undefined;
  /** Runs that began to end since this time (Redis' clock) have not been heard of. */
  #endingSince = 0;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Called from the take loops; returns at once. */
  turn(): void {
    const now = performance.now();
    if (now - this.#toldAt >= TELL_DURATIONS_MS) {
      this.#toldAt = now;
      void this.#tellDurations();
    }
    if (now - this.#renewedAt >= RENEWAL_MS && this.#renewal === undefined) {
      this.#renewal = this.renew().finally(() => {
        this.#renewal = undefined;
      });
    }
  }

  /** Renews the lease in every partition and hears which runs are ending. Errors are logged: the next turn tries again. */
  async renew(): Promise<void> {
    const { state, executor, logger, describe } = this.#options;
    const startedAt = performance.now();
    try {
      const record = describe();
      const since = this.#endingSince;
      const replies = await Promise.all(state.tags.map((tag) => state.transitions.renew(tag, record.workerId, since)));
      for (const { ending } of replies) for (const runId of ending) executor.abortRun(runId);
      // A little overlap: entries of the same millisecond, and clocks of several Cluster nodes.
      this.#endingSince = Math.max(0, Math.min(...replies.map(({ now }) => now)) - DEFAULT_LEASE_DURATION_MS);
      await signOfLife(state.client, state.namespace, record);
      const pausedMs = startedAt - this.#renewedAt;
      this.#renewedAt = startedAt;
      if (Number.isFinite(pausedMs) && pausedMs > DEFAULT_LEASE_DURATION_MS) await executor.abortSuperseded();
    } catch (error) {
      logger.warn({ error }, 'the lease could not be renewed');
    }
  }

  /** A clean exit: the lease ends now and the worker leaves the list. */
  async leave(): Promise<void> {
    const { state, describe } = this.#options;
    const { workerId } = describe();
    await Promise.all(state.tags.map((tag) => state.transitions.leave(tag, workerId)));
    await sayGoodbye(state.client, state.namespace, workerId);
  }

  async #tellDurations(): Promise<void> {
    const { state, executor, logger } = this.#options;
    const changed = executor.durations.takeChanged();
    if (changed.length === 0) return;
    try {
      await state.client.hset(deploymentKeys(state.namespace).durations, Object.fromEntries(changed));
    } catch (error) {
      logger.debug({ error }, 'step durations could not be told');
    }
  }
}
