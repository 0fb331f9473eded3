import type { Problem } from '@flotilla/contracts';
import type { Redis } from 'ioredis';
import { isCommandDenied } from './classify-redis-error.ts';
import { mastersOf, type RedisClient } from './redis-client.ts';
import { parseInfo } from './server-facts.ts';

/**
 * What is done about the memory of Redis. `tight`: ended runs are kept for less time. `refusing`: also, no new runs.
 * `holding`: also, no step begins.
 */
export type StorageLevel = 'normal' | 'tight' | 'refusing' | 'holding';

/** Percent of maxmemory from which each level holds, ascending. */
export type Watermarks = readonly [tight: number, refusing: number, holding: number];
export const DEFAULT_WATERMARKS: Watermarks = [70, 80, 90];

/** A level is left this many percent below its mark, so that it does not come and go with every run. */
const RETURN_PERCENT = 2;
const LEVELS = ['tight', 'refusing', 'holding'] as const;

/** The level at a share of maxmemory (0 to 1 and more), given the level before. */
export function storageLevel(share: number, former: StorageLevel, marks: Watermarks): StorageLevel {
  let level: StorageLevel = 'normal';
  for (const [index, name] of LEVELS.entries()) {
    const held = former !== 'normal' && LEVELS.indexOf(former) >= index;
    if (share * 100 >= marks[index]! - (held ? RETURN_PERCENT : 0)) level = name;
  }
  return level;
}

export interface RedisMemory {
  /** Used share of maxmemory, as Redis counts it when it refuses; 0 when there is no limit. */
  share: number;
  usedBytes: number;
}

/** The memory of the fullest master; undefined when we may not ask. */
export async function readMemory(client: RedisClient): Promise<RedisMemory | undefined> {
  const all = await Promise.all(mastersOf(client).map(memoryOf));
  const known = all.filter((memory) => memory !== undefined);
  if (known.length === 0) return undefined;
  return {
    share: Math.max(...known.map(({ share }) => share)),
    usedBytes: Math.max(...known.map(({ usedBytes }) => usedBytes)),
  };
}

async function memoryOf(server: Redis): Promise<RedisMemory | undefined> {
  try {
    const fields = parseInfo(await server.info('memory'));
    const numberOf = (name: string) => Number(fields.get(name) ?? 0);
    const max = numberOf('maxmemory');
    const usedBytes = numberOf('used_memory');
    return { usedBytes, share: max === 0 ? 0 : (usedBytes - numberOf('mem_not_counted_for_evict')) / max };
  } catch (error) {
    // A managed service without INFO, or an ACL: as if there were no limit.
    if (isCommandDenied(error)) return undefined;
    throw error;
  }
}

const MESSAGES: Record<Exclude<StorageLevel, 'normal'>, readonly [code: string, what: string]> = {
  tight: ['STORAGE_TIGHT', 'ended runs are kept for less time'],
  refusing: ['STORAGE_REFUSING', 'no new runs are taken, those under way go on'],
  holding: ['STORAGE_HOLDING', 'no new runs are taken and no step begins, running attempts end'],
};

/** Looks at the memory of Redis and says what has to be done about it. Without marks it is always normal. */
export class StorageWatch {
  readonly #client: RedisClient;
  readonly #marks: Watermarks | undefined;
  #level: StorageLevel = 'normal';
  #memory: RedisMemory = { share: 0, usedBytes: 0 };

  constructor(client: RedisClient, marks: Watermarks | undefined) {
    this.#client = client;
    this.#marks = marks;
  }

  get level(): StorageLevel {
    return this.#level;
  }

  /** Of maxmemory, at the last look. */
  get share(): number {
    return this.#memory.share;
  }

  /** At the last look. */
  get usedBytes(): number {
    return this.#memory.usedBytes;
  }

  /** True when new runs are refused. */
  get refuses(): boolean {
    return this.#level === 'refusing' || this.#level === 'holding';
  }

  /** For people: what is done now, and why. */
  get problems(): readonly Problem[] {
    if (this.#level === 'normal') return [];
    const [code, what] = MESSAGES[this.#level];
    const message = `Redis uses ${Math.round(this.share * 100)} % of its maxmemory: ${what}`;
    return [{ code, path: '/storage', message, severity: 'warning' }];
  }

  /** Looks now; answers the level. */
  async look(): Promise<StorageLevel> {
    if (this.#marks === undefined) return this.#level;
    this.#memory = (await readMemory(this.#client)) ?? { share: 0, usedBytes: 0 };
    this.#level = storageLevel(this.share, this.#level, this.#marks);
    return this.#level;
  }
}

/** Reads three ascending whole percents such as `70,80,90`; undefined for anything else. */
export function parseWatermarks(text: string): Watermarks | undefined {
  const match = /^(\d{1,3}),(\d{1,3}),(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [tight, refusing, holding] = match.slice(1).map(Number) as [number, number, number];
  const ascending = 0 < tight && tight <= refusing && refusing <= holding && holding <= 100;
  return ascending ? [tight, refusing, holding] : undefined;
}
