import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { RedisClient } from '@flotilla/redis';
import { dashboardKeys } from '@flotilla/state';
import { LRUCache } from 'lru-cache';

export interface SessionStoreOptions {
  client: RedisClient;
  namespace: string;
  /** After it was last used. */
  lifetimeMs: number;
}

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** A session in use is read from Redis this often; between that, a logout elsewhere is not noticed. */
const FRESH_MS = 10_000;
const MOST_REMEMBERED = 1000;

/**
 * Logins of browsers. A browser holds a random token; Redis holds the API key under the token's hash, encrypted with a key
 * that follows from the token. So neither the cookie nor Redis alone gives the API key away, and a dashboard that is
 * restarted, or one of several, knows every session.
 */
export class SessionStore {
  readonly #options: SessionStoreOptions;
  readonly #known = new LRUCache<string, string>({ max: MOST_REMEMBERED, ttl: FRESH_MS });

  constructor(options: SessionStoreOptions) {
    this.#options = options;
  }

  /** The token of a new session. */
  async create(apiKey: string): Promise<string> {
    const token = randomBytes(32).toString('base64url');
    await this.#options.client.set(this.#keyOf(token), seal(token, apiKey), 'PX', this.#options.lifetimeMs);
    return token;
  }

  /** The API key of a session, or undefined when there is none. Using it makes it last longer. */
  async keyOf(token: string | undefined): Promise<string | undefined> {
    if (token === undefined || !TOKEN.test(token)) return undefined;
    const known = this.#known.get(token);
    if (known !== undefined) return known;
    const sealed = await this.#options.client.getex(this.#keyOf(token), 'PX', this.#options.lifetimeMs);
    const apiKey = sealed === null ? undefined : open(token, sealed);
    if (apiKey !== undefined) this.#known.set(token, apiKey);
    return apiKey;
  }

  async end(token: string | undefined): Promise<void> {
    if (token === undefined || !TOKEN.test(token)) return;
    this.#known.delete(token);
    await this.#options.client.del(this.#keyOf(token));
  }

  #keyOf(token: string): string {
    return dashboardKeys(this.#options.namespace).session(createHash('sha256').update(token).digest('hex'));
  }
}

function cipherKey(token: string): Buffer {
  return Buffer.from(hkdfSync('sha256', token, '', 'flotilla dashboard session', 32));
}

function seal(token: string, apiKey: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', cipherKey(token), iv);
  const sealed = Buffer.concat([cipher.update(apiKey, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

/** Undefined when somebody has changed what is stored. */
function open(token: string, text: string): string | undefined {
  const stored = Buffer.from(text, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', cipherKey(token), stored.subarray(0, IV_BYTES));
    decipher.setAuthTag(stored.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const sealed = stored.subarray(IV_BYTES + TAG_BYTES);
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
