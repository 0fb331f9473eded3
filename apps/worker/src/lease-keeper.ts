import { type AgentIdentity, deregisterAgent, type Heartbeat, sendHeartbeat } from '@flotilla/agents';
import type { Breakers } from '@flotilla/breakers';
import type { Plan } from '@flotilla/engine';
import type { Executor } from '@flotilla/executor';
import type { RedisClient } from '@flotilla/redis';
import { DEFAULT_LEASE_DURATION_MS, type State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';

/** The lease outlives one missed renewal and a pause of five seconds. */
const RENEWAL_MS = 2500;
/**
 * While attempts are under way: the loops turn once a second at least, so a cancellation of which no message came is heard
 * within 3 s.
 */
const BUSY_RENEWAL_MS = 1750;
/** Runs that one answer names at most; with so many there may be more. */
const MOST_ENDING = 1000;
/** Changed durations are told sooner: the relay sizes its tasks by them. */
const TELL_DURATIONS_MS = 200;
/** News that must be told soon is told with a heartbeat of its own, no more often than this. */
const MIN_HEARTBEAT_INTERVAL_MS = 1000;
/** A loop comes around each second; one that has not for this long ages the heartbeat. */
const LATE_LOOP_MS = 2500;

export interface LeaseKeeperOptions {
  state: State<Plan>;
  /** What heartbeats are given over. */
  client: RedisClient;
  executor: Executor;
  breakers: Breakers;
  logger: Logger;
  identity: AgentIdentity;
  /** How the worker is doing now. */
  describe: () => Omit<Heartbeat, 'ageMs'>;
  /** Told the worker's judgement (JSON, '' for none) when it has changed. */
  onHealth: (healthText: string) => void;
}

/**
 * Keeps the worker's lease and its record in the fleet. It has no timer of its own: the loops that take work call `turn`,
 * so a worker that takes none soon stops looking alive.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #toldAt = 0;
  #renewal: Promise<void> | undefined;
  /** Runs that began to end since this time (Redis' clock) have not been heard of. */
  #endingSince = 0;
  #isIntroduced = false;
  #lastHeartbeatAt = 0;
  #isHeartbeatWanted = false;
  #healthText = '';
  /** When each loop last came around, monotonic. */
  readonly #turnedAt = new Map<string, number>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Called from the take loops; returns at once. Without a loop's name: the loops have come to rest. */
  turn(loop?: string): void {
    const now = performance.now();
    if (loop === undefined) this.#turnedAt.clear();
    else this.#turnedAt.set(loop, now);
    if (now - this.#toldAt >= TELL_DURATIONS_MS) {
      this.#toldAt = now;
      void this.#tellDurations();
    }
    if (this.#renewal !== undefined) return;
    const intervalMs = this.#options.executor.live.size > 0 ? BUSY_RENEWAL_MS : RENEWAL_MS;
    const isDue = now - this.#renewedAt >= intervalMs;
    if (!isDue && !(this.#isHeartbeatWanted && now - this.#lastHeartbeatAt >= MIN_HEARTBEAT_INTERVAL_MS)) return;
    this.#renewal = (isDue ? this.renew() : this.#sendHeartbeatSoon()).finally(() => {
      this.#renewal = undefined;
    });
  }

  /** The schedulers should hear soon how this worker is doing: the next turn tells them. */
  requestHeartbeat(): void {
    this.#isHeartbeatWanted = true;
  }

  /** Renews the lease in every partition and hears which runs are ending. Errors are logged: the next turn tries again. */
  async renew(): Promise<void> {
    const { state, executor, breakers, logger, identity } = this.#options;
    const startedAt = performance.now();
    try {
      const since = this.#endingSince;
      const replies = await Promise.all(
        state.tags.map((tag) => state.transitions.renew(tag, identity.workerId, since)),
      );
      for (const { ending } of replies) for (const runId of ending) executor.live.abortRun(runId);
      if (replies.some(({ ending }) => ending.length >= MOST_ENDING)) await executor.live.abortEnding();
      // A little overlap: entries of the same millisecond, and clocks of several Cluster nodes.
      this.#endingSince = Math.max(0, Math.min(...replies.map(({ now }) => now)) - DEFAULT_LEASE_DURATION_MS);
      await this.#sendHeartbeat();
      // Its own troubles are none of the lease's: it never rejects, and waits for Redis no longer than a second.
      void breakers.refresh();
      this.#renewedAt = startedAt;
      // Only Redis knows that: how long a renewal was on its way cannot be seen from here.
      if (replies.some(({ hadEnded }) => hadEnded)) await executor.live.abortSuperseded();
    } catch (error) {
      logger.warn({ error }, 'could not renew the lease');
    }
  }

  /** A clean exit: the lease ends now and the worker leaves the list. */
  async leave(): Promise<void> {
    const { state, client, identity } = this.#options;
    const { workerId } = identity;
    await Promise.all(state.tags.map((tag) => state.transitions.leave(tag, workerId)));
    await deregisterAgent(client, state.namespace, workerId);
  }

  async #sendHeartbeatSoon(): Promise<void> {
    try {
      await this.#sendHeartbeat();
    } catch (error) {
      this.#options.logger.debug({ error }, 'could not send a heartbeat');
    }
  }

  async #sendHeartbeat(): Promise<void> {
    const { state, client, identity, describe, onHealth } = this.#options;
    this.#isHeartbeatWanted = false;
    this.#lastHeartbeatAt = performance.now();
    const introduced = this.#isIntroduced ? undefined : identity;
    const sign = { ...describe(), ageMs: this.#ageMs() };
    const reply = await sendHeartbeat(client, state.namespace, identity.workerId, introduced, sign);
    // Who was not heard of for an hour has been forgotten, and so may a Redis have that lost its data.
    this.#isIntroduced = !reply.isUnknown;
    if (reply.healthText === this.#healthText) return;
    this.#healthText = reply.healthText;
    onHealth(reply.healthText);
  }

  /** A worker one of whose loops hangs is as good as gone: its sign is as old as that loop's last turn. */
  #ageMs(): number {
    const ageMs = Math.round(performance.now() - Math.min(Number.POSITIVE_INFINITY, ...this.#turnedAt.values()));
    return ageMs > LATE_LOOP_MS ? ageMs : 0;
  }

  async #tellDurations(): Promise<void> {
    const { state, executor, logger } = this.#options;
    const changed = executor.durations.takeChanged();
    if (changed.length === 0) return;
    try {
      await state.publishDurations(Object.fromEntries(changed));
    } catch (error) {
      logger.debug({ error }, 'could not publish step durations');
    }
  }
}
