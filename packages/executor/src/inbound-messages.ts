import { setTimeout as delay } from 'node:timers/promises';
import type { Channels, HoldingAttempt } from '@flotilla/channels';
import { FlotillaError, type Json } from '@flotilla/contracts';
import type { ChannelWork } from '@flotilla/state';
import type { ReceiveOptions } from '@flotilla/steps';
import { z } from 'zod';

/** What attempts need of the fleet's channels. */
export type ChannelGate = Pick<Channels, 'take' | 'release' | 'releaseLost'>;

export interface InboundOptions {
  gate: ChannelGate;
  attempt: HoldingAttempt;
  signal: AbortSignal;
  /** Whether an attempt of any run still has what it took. */
  isHeld: (attempt: HoldingAttempt) => Promise<boolean>;
}

/** How often an empty channel is asked again, growing from the first to the second. */
const FIRST_PAUSE_MS = 25;
const MAX_PAUSE_MS = 500;
/** What others hold is looked at this often while one waits: a dead worker's messages are set free by that. */
const LOST_CHECK_MS = 1000;
const MAX_COUNT = 100;
const MAX_WAIT_MS = 86_400_000;

const optionsZ = z.strictObject({
  key: z.string().optional(),
  count: z.number().int().min(1).max(MAX_COUNT).default(1),
  timeoutMs: z.number().int().min(0).max(MAX_WAIT_MS).default(0),
});

/** What an attempt has taken from channels: it is consumed by its commit, or given back. */
export class InboundMessages {
  readonly #options: InboundOptions;
  readonly #taken: ChannelWork['taken'] = [];
  #isClosed = false;

  constructor(options: InboundOptions) {
    this.#options = options;
  }

  get taken(): ChannelWork['taken'] {
    return this.#taken;
  }

  /** `channel`: its stored name. */
  async receive(channel: string, given: ReceiveOptions = {}): Promise<Json[]> {
    const parsed = optionsZ.safeParse(given);
    if (!parsed.success) throw new FlotillaError('CHANNEL_REFUSED', z.prettifyError(parsed.error));
    const { timeoutMs, ...wanted } = parsed.data;
    const { signal } = this.#options;
    const endsAt = performance.now() + timeoutMs;
    let lostCheckAt = performance.now();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
      signal.throwIfAborted();
      if (this.#isClosed) throw ended();
      const messages = await this.#take(channel, wanted);
      if (messages !== undefined) return messages;
      const now = performance.now();
      if (now >= lostCheckAt) {
        lostCheckAt = now + LOST_CHECK_MS;
        if ((await this.#options.gate.releaseLost(channel, this.#options.isHeld)) > 0) continue;
      }
      if (now >= endsAt) return [];
      await delay(Math.min(pauseMs, endsAt - now), undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  async #take(channel: string, wanted: { key?: string | undefined; count: number }): Promise<Json[] | undefined> {
    const { gate, attempt, signal } = this.#options;
    const found = await gate.take(channel, attempt, wanted);
    if (found === undefined) return undefined;
    const { assignment, messages } = found;
    if (this.#isClosed) {
      await gate.release(channel, assignment);
      throw ended();
    }
    this.#taken.push({ channel, assignment });
    signal.throwIfAborted();
    return messages.map(({ body }) => body);
  }

  /** The attempt ends: nothing more is taken. */
  close(): void {
    this.#isClosed = true;
  }

  /** Gives back what was not consumed. Never rejects: what is not given back is taken from an attempt that has ended. */
  async release(): Promise<void> {
    this.close();
    const { gate } = this.#options;
    const held = this.#taken.splice(0);
    await Promise.allSettled(held.map(({ channel, assignment }) => gate.release(channel, assignment)));
  }
}

function ended(): FlotillaError {
  return new FlotillaError('CHANNEL_REFUSED', 'the attempt has ended');
}
