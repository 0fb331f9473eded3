import { setTimeout as pause } from 'node:timers/promises';
import type { AttemptAddress } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';

/** An attempt whose claim or commit is under way is soon held, or over. */
const LOOK_AGAIN_MS = 1000;

export interface ForgottenAttemptsOptions {
  /** The attempts that state believes this worker to make. */
  listAttempts: () => Promise<readonly AttemptAddress[]>;
  /** True for one that it does make, or whose end it is about to write. */
  holds: (attemptId: string) => boolean;
  giveBack: (attempt: AttemptAddress) => Promise<unknown>;
  logger: Logger;
  /** Of the Redis that was there at the start. */
  lineage: string;
  lookAgainMs?: number;
}

/**
 * After a failover or a restored backup state may be older than what this worker was told: attempts that had ended are
 * under way again, with this worker, which knows nothing of them and whose lease would keep them for ever. It gives
 * them back, so that they are made anew.
 */
export class ForgottenAttempts {
  readonly #options: ForgottenAttemptsOptions;
  #lineage: string;
  #underWay = false;

  constructor(options: ForgottenAttemptsOptions) {
    this.#options = options;
    this.#lineage = options.lineage;
  }

  /** Call it after each look at Redis. Errors are logged: the next look tries again. */
  async afterLook(lineage: string): Promise<void> {
    if (lineage === this.#lineage || this.#underWay) return;
    this.#underWay = true;
    try {
      await this.#giveBack();
      this.#lineage = lineage;
    } catch (error) {
      this.#options.logger.warn({ error }, 'could not reconcile running attempts with Redis after a failover');
    } finally {
      this.#underWay = false;
    }
  }

  async #giveBack(): Promise<void> {
    const { giveBack, logger, lookAgainMs = LOOK_AGAIN_MS } = this.#options;
    const before = new Set((await this.#findUnknown()).map(({ attemptId }) => attemptId));
    if (before.size === 0) return;
    await pause(lookAgainMs);
    const forgotten = (await this.#findUnknown()).filter(({ attemptId }) => before.has(attemptId));
    await Promise.all(forgotten.map(giveBack));
    if (forgotten.length > 0) {
      logger.warn(
        { attempts: forgotten.length },
        'Redis has gone back in time: attempts that had ended are made again',
      );
    }
  }

  async #findUnknown(): Promise<AttemptAddress[]> {
    const { listAttempts, holds } = this.#options;
    return (await listAttempts()).filter(({ attemptId }) => !holds(attemptId));
  }
}
