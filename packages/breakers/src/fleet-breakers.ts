import { readFileSync } from 'node:fs';
import { FlotillaError } from '@flotilla/contracts';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import { type BreakerRecord, parseBreakerRecord } from './breaker-record.ts';
import type { BreakerSettings } from './breaker-settings.ts';

const SCRIPT = defineScript({
  name: 'fleet-breakers',
  numberOfKeys: 2,
  lua: readFileSync(new URL('../lua/fleet-breakers.lua', import.meta.url), 'utf8'),
});

/** Where the fleet's breakers are kept; packages/state names them. */
export interface BreakerKeys {
  /** HASH name -> record. */
  breakers: string;
  /** ZSET name by last use. */
  breakersSeen: string;
  /** Pub/sub channel of changes. */
  channel: string;
  /** Counts of the retry budget of one dependency. */
  retriesOf: (name: string) => string;
}

export type TrialOutcome = 'success' | 'failure' | 'undecided';

/** A call that tests the way back. */
export interface Trial {
  /** Names the attempt. */
  owner: string;
  /** Names the step of the run, over all its attempts. */
  step: string;
}

export interface FleetReply<Answer extends string> {
  /** Redis' clock. */
  now: number;
  record: BreakerRecord;
  answer: Answer;
}

/** A change that the channel tells of: a hint, which may be lost. */
export interface BreakerHint {
  name: string;
  now: number;
  record: BreakerRecord;
}

type PauseAndTrial = Pick<BreakerSettings, 'probeIntervalMs' | 'probeTimeoutMs' | 'rampCalls'>;

/** The fleet's breakers in Redis: each call is one script call, which decides on Redis' clock. */
export class FleetBreakers {
  readonly #client: RedisClient;
  readonly #keys: BreakerKeys;

  constructor(client: RedisClient, keys: BreakerKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** Breakers in use are remembered for a day after the last call of this. Answers Redis' clock. */
  async touch(names: readonly string[]): Promise<number> {
    return Number((await this.#run('touch', ...names))[0]);
  }

  /** Opens the breaker, unless the state that the caller knows (its generation; 0: none) is out of date. */
  trip(name: string, generation: number, cause: string, { probeIntervalMs }: PauseAndTrial) {
    return this.#change<'opened' | 'stale'>('trip', name, generation, cause, probeIntervalMs);
  }

  /** Asks whether `owner` may make a call that tests the way back. Repeating it is harmless. */
  begin(name: string, owner: string, { probeIntervalMs, probeTimeoutMs }: PauseAndTrial) {
    return this.#change<'go' | 'trial' | 'wait'>('begin', name, owner, probeIntervalMs, probeTimeoutMs);
  }

  /**
   * Tells what became of a call that `begin` allowed. `stale`: it came too late to count. `blamed`: it has failed where others
   * succeed, so that the fault is that of its step.
   */
  end(name: string, { owner, step }: Trial, outcome: TrialOutcome, { probeIntervalMs, rampCalls }: PauseAndTrial) {
    return this.#change<'noted' | 'opened' | 'closed' | 'stale' | 'blamed'>(
      'end',
      name,
      owner,
      outcome,
      probeIntervalMs,
      rampCalls,
      step,
    );
  }

  /**
   * By hand: it stays open, without any testing call, until it is closed by hand.
   * @throws FlotillaError TOO_MANY_BREAKERS: nobody has used this name, and as many are kept as may be
   */
  async open(name: string) {
    const reply = await this.#change<'opened' | 'full'>('open', name);
    if (reply.answer === 'full') {
      throw new FlotillaError('TOO_MANY_BREAKERS', `there are too many breakers for one with the new name ${name}`);
    }
    return reply;
  }

  /** Of one that nobody has used nothing is kept. */
  close(name: string) {
    return this.#change<'closed'>('close', name);
  }

  /** One breaker; undefined when nobody has used it within a day. */
  async readOne(name: string): Promise<{ now: number; record: BreakerRecord | undefined }> {
    const [text, now] = await Promise.all([this.#client.hget(this.#keys.breakers, name), this.#now()]);
    return { now, record: parseBreakerRecord(text ?? '') };
  }

  /** All breakers that anybody has used within a day, and Redis' clock. */
  async read(): Promise<{ now: number; records: Map<string, BreakerRecord> }> {
    const [stored, now] = await Promise.all([this.#client.hgetall(this.#keys.breakers), this.#now()]);
    const records = new Map<string, BreakerRecord>();
    for (const [name, text] of Object.entries(stored)) {
      const record = parseBreakerRecord(text);
      if (record !== undefined) records.set(name, record);
    }
    return { now, records };
  }

  async #now(): Promise<number> {
    const [seconds, microseconds] = await this.#client.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  async #change<Answer extends string>(
    what: string,
    name: string,
    ...args: readonly (string | number)[]
  ): Promise<FleetReply<Answer>> {
    const [now, text, answer] = await this.#run(what, name, ...args);
    const record = parseBreakerRecord(text!);
    if (record === undefined) throw new Error(`the breaker ${name} was left as ${text}`);
    return { now: Number(now), record, answer: answer as Answer };
  }

  #run(...args: readonly (string | number)[]): Promise<readonly string[]> {
    const { breakers, breakersSeen, channel } = this.#keys;
    return runScript<readonly string[]>(this.#client, SCRIPT, [breakers, breakersSeen], [channel, ...args]);
  }
}

/** A message of the channel, or undefined when it is none. */
export function parseBreakerHint(message: string): BreakerHint | undefined {
  const [now = '', name = ''] = message.split('|', 2);
  const record = parseBreakerRecord(message.slice(now.length + name.length + 2));
  return record === undefined ? undefined : { name, now: Number(now), record };
}
