import { type Access, accessZ, FlotillaError } from '@flotilla/contracts';
import { LRUCache } from 'lru-cache';

const ASK_WITHIN_MS = 5000;
/** How long an answer is used again: for so long a key that the scheduler no longer takes may still read queues. */
const FRESH_MS = 5000;
const MOST_KEYS = 1000;

/** What the scheduler allows a key, or a caller without one. */
export class SchedulerAccess {
  readonly #url: string;
  readonly #known = new LRUCache<string, Promise<Access | undefined>>({ max: MOST_KEYS, ttl: FRESH_MS });

  constructor(schedulerUrl: string) {
    this.#url = `${schedulerUrl}/v1/access`;
  }

  /**
   * Undefined when the scheduler refuses the key, or asks for one.
   * @throws FlotillaError SCHEDULER_UNREACHABLE
   */
  async of(key: string | undefined): Promise<Access | undefined> {
    const name = key ?? '';
    let asking = this.#known.get(name);
    if (asking === undefined) {
      asking = this.#ask(key);
      this.#known.set(name, asking);
      // What could not be answered is asked again.
      asking.catch(() => this.#known.delete(name));
    }
    return asking;
  }

  async #ask(key: string | undefined): Promise<Access | undefined> {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    let answer: Response;
    try {
      answer = await fetch(this.#url, { headers, signal: AbortSignal.timeout(ASK_WITHIN_MS), redirect: 'error' });
    } catch (cause) {
      throw new FlotillaError('SCHEDULER_UNREACHABLE', 'no scheduler answers at FLOTILLA_URL', { cause });
    }
    if (answer.status === 401) {
      await answer.body?.cancel();
      return undefined;
    }
    const parsed = answer.ok ? accessZ.safeParse(await answer.json().catch(() => undefined)) : undefined;
    if (parsed?.success) return parsed.data;
    throw new FlotillaError('SCHEDULER_UNREACHABLE', `what answers at FLOTILLA_URL is no scheduler (${answer.status})`);
  }
}
