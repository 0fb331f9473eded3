import { type RedisClient, retryTransient } from '@flotilla/redis';
import { LRUCache } from 'lru-cache';
import { type BreakerRecord, judgeBreaker } from './breaker-record.ts';
import { type BreakerSettings, DEFAULT_BREAKER_SETTINGS } from './breaker-settings.ts';
import {
  type BreakerKeys,
  FleetBreakers,
  type FleetReply,
  parseBreakerHint,
  type Trial,
  type TrialOutcome,
} from './fleet-breakers.ts';
import { LocalBreaker } from './local-breaker.ts';
import { RetryBudget } from './retry-budget.ts';
import { ReturnSpread, SHORTEST_RETURN_MS } from './return-spread.ts';

/** Dependencies that one process keeps a window of; of others it forgets the one that was not used for the longest time. */
const MOST_DEPENDENCIES = 500;
/** Longer no decision waits for Redis: the process then decides by what it has seen itself. */
const REDIS_DEADLINE_MS = 1000;
/** A breaker that is open without an end is looked at this often. */
const MANUAL_LOOK_MS = 30_000;
const LEAST_PARK_MS = 50;

/**
 * What a call says of the dependency. `answered`: that it answers, though not with what was asked for, which counts neither
 * way but lets a testing call pass. `ignored`: nothing, as when the call was cancelled.
 */
export type CallOutcome = 'success' | 'answered' | 'failure' | 'ignored';

const OUTCOME_OF_TRIAL: Record<CallOutcome, TrialOutcome> = {
  success: 'success',
  answered: 'success',
  failure: 'failure',
  ignored: 'undecided',
};

/** The right to make one call. */
export interface CallPass {
  /**
   * Tells once what became of the call. Answers `blamed` when it has failed although the dependency answers others: the fault
   * is that of the step. Never rejects.
   */
  settle(outcome: CallOutcome): Promise<'blamed' | undefined>;
}

/** A pass, or for how long the step is to be parked. */
export type Admission = { pass: CallPass } | { parkMs: number };

export interface BreakersOptions {
  client: RedisClient;
  keys: BreakerKeys;
  settings?: Partial<BreakerSettings>;
  /** Redis could not be asked or told: this process decided alone. */
  onError: (error: unknown, breaker: string) => void;
}

interface Entry {
  name: string;
  local: LocalBreaker;
  /** What the fleet said last, and when on Redis' clock. */
  record: BreakerRecord | undefined;
  heardAt: number;
  spread: ReturnSpread;
  /** Monotonic end of the call that tests the way back while Redis is away. */
  localTrialUntil: number;
}

/**
 * The breakers of one worker. It decides in memory: by its own window while the fleet's breaker is closed, by the fleet's
 * state when it is not. Only a call that would test the way back asks Redis first. Without Redis each process goes by what
 * it has seen itself, one testing call at a time.
 */
export class Breakers {
  readonly settings: BreakerSettings;
  readonly #fleet: FleetBreakers;
  readonly #budget: RetryBudget;
  readonly #onError: BreakersOptions['onError'];
  readonly #entries: LRUCache<string, Entry>;
  /** Used since Redis was told last. */
  readonly #used = new Set<string>();
  /** Redis' clock minus the monotonic one. */
  #clockOffsetMs = 0;

  constructor({ client, keys, settings, onError }: BreakersOptions) {
    this.settings = { ...DEFAULT_BREAKER_SETTINGS, ...settings };
    this.#fleet = new FleetBreakers(client, keys);
    this.#budget = new RetryBudget(client, keys.retriesOf, this.settings.retries);
    this.#onError = onError;
    this.#entries = new LRUCache({ max: MOST_DEPENDENCIES, dispose: ({ local }) => local.shutdown() });
  }

  /** May a call be made now? `owner` names the attempt, `step` its step; asking again for the same attempt is harmless. */
  admit(name: string, owner: string, step: string): Admission | Promise<Admission> {
    const entry = this.#entryOf(name);
    this.#used.add(name);
    const judgement = judgeBreaker(entry.record, this.#redisNow());
    if (judgement.may === 'wait') return { parkMs: this.#parkMs(entry, judgement.until) };
    if (judgement.may === 'go' && entry.local.state === 'closed') return { pass: this.#ordinaryPass(entry) };
    return this.#ask(entry, owner, step);
  }

  /** For how long a step is to be parked whose call has just failed; undefined when calls go on. */
  parkMsIfOpen(name: string): number | undefined {
    const entry = this.#entryOf(name);
    const now = this.#redisNow();
    const judgement = judgeBreaker(entry.record, now);
    if (judgement.may === 'wait') return this.#parkMs(entry, judgement.until);
    if (judgement.may === 'ask') return this.#parkMs(entry, now);
    return entry.local.state === 'closed' ? undefined : this.#parkMs(entry, now + entry.local.halfOpenInMs);
  }

  /**
   * The same, after asking the fleet if need be: another worker may have opened the breaker a moment ago. A call that failed
   * is worth the time. A step that has called waits for longer than those that have not: the next trial is another's.
   */
  async parkMsOfFailure(name: string): Promise<number | undefined> {
    let parkMs = this.parkMsIfOpen(name);
    if (parkMs === undefined) {
      const read = await this.#try(name, () => this.#fleet.readOne(name));
      if (read?.record === undefined) return undefined;
      this.#setClock(read.now);
      this.#apply(this.#entryOf(name), read.record, read.now);
      parkMs = this.parkMsIfOpen(name);
    }
    return parkMs === undefined ? undefined : parkMs + SHORTEST_RETURN_MS;
  }

  noteFirstTry(name: string): void {
    this.#budget.noteFirstTry(name);
  }

  /** How long a retry has to wait for its place in the fleet's budget; 0 when Redis cannot be asked. */
  async spendRetry(name: string): Promise<number> {
    return (await this.#try(name, () => this.#budget.spend(name))) ?? 0;
  }

  /** Hears what has changed, and tells which breakers are in use. Called with each renewal of the worker's lease. */
  async refresh(): Promise<void> {
    const used = [...this.#used];
    this.#used.clear();
    if (used.length > 0) {
      const told = await this.#try('', () => this.#fleet.touch(used));
      if (told === undefined) for (const name of used) this.#used.add(name);
      await this.#try('', () => this.#budget.flush());
    }
    const read = await this.#try('', () => this.#fleet.read());
    if (read === undefined) return;
    this.#setClock(read.now);
    for (const [name, record] of read.records) {
      // Closed ones that no step has used here are of no interest.
      if (record.state !== 'closed' || this.#entries.has(name)) this.#apply(this.#entryOf(name), record, read.now);
    }
    for (const entry of this.#entries.values()) {
      if (!read.records.has(entry.name) && entry.record !== undefined && entry.heardAt < read.now) {
        entry.record = undefined;
        entry.local.reset();
      }
    }
  }

  /** A message of the channel: a hint that something has changed. */
  hear(message: string): void {
    const hint = parseBreakerHint(message);
    if (hint === undefined) return;
    this.#setClock(hint.now);
    this.#apply(this.#entryOf(hint.name), hint.record, hint.now);
  }

  /** Ends all timers. */
  close(): void {
    this.#entries.clear();
  }

  #entryOf(name: string): Entry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      const local = new LocalBreaker(this.settings);
      entry = { name, local, record: undefined, heardAt: 0, spread: new ReturnSpread(), localTrialUntil: 0 };
      this.#entries.set(name, entry);
    }
    return entry;
  }

  #redisNow(): number {
    return this.#clockOffsetMs + performance.now();
  }

  #setClock(now: number): void {
    this.#clockOffsetMs = now - performance.now();
  }

  /** Takes over what the fleet says; what is older than what is known changes nothing. */
  #apply(entry: Entry, record: BreakerRecord, now: number): void {
    if (now < entry.heardAt) return;
    const before = entry.record;
    if (before !== undefined && record.generation < before.generation) return;
    entry.record = record;
    entry.heardAt = now;
    if (record.generation === before?.generation) return;
    if (record.state !== 'closed') entry.local.open();
    // Also from closed to closed: it has been open between, and what this process saw before that is out of date.
    else if (before !== undefined) entry.local.reset();
  }

  #parkMs(entry: Entry, until: number | undefined): number {
    const now = this.#redisNow();
    if (until === undefined) {
      return MANUAL_LOOK_MS + entry.spread.next(entry.record?.generation ?? 0, SHORTEST_RETURN_MS);
    }
    return Math.max(LEAST_PARK_MS, Math.ceil(until - now) + entry.spread.next(until, SHORTEST_RETURN_MS));
  }

  /** The call tests the way back, if the fleet lets it. */
  async #ask(entry: Entry, owner: string, step: string): Promise<Admission> {
    const { name } = entry;
    const reply = await this.#tell(entry, () => this.#fleet.begin(name, owner, this.settings));
    if (reply === undefined) return this.#decideAlone(entry);
    if (reply.answer === 'trial') return { pass: this.#trialPass(entry, { owner, step }) };
    if (reply.answer === 'go') {
      if (entry.local.state === 'closed') return { pass: this.#ordinaryPass(entry) };
      // What this process saw could not be told when it happened.
      await this.#trip(entry);
    }
    return { parkMs: this.parkMsIfOpen(name) ?? LEAST_PARK_MS };
  }

  #decideAlone(entry: Entry): Admission {
    const { local } = entry;
    if (local.state === 'closed') return { pass: this.#ordinaryPass(entry) };
    const now = performance.now();
    const waitMs = local.state === 'open' ? local.halfOpenInMs : entry.localTrialUntil - now;
    if (waitMs > 0) return { parkMs: this.#parkMs(entry, this.#redisNow() + waitMs) };
    entry.localTrialUntil = now + this.settings.probeTimeoutMs;
    return { pass: this.#ordinaryPass(entry) };
  }

  #ordinaryPass(entry: Entry): CallPass {
    const { epoch, state } = entry.local;
    const isTrial = state === 'half-open';
    return {
      settle: async (outcome) => {
        const counts = outcome === 'failure' || outcome === 'success' || isTrial;
        if (!counts || outcome === 'ignored' || !entry.local.record(outcome !== 'failure', epoch)) return undefined;
        entry.localTrialUntil = 0;
        if (entry.local.state === 'open') await this.#trip(entry);
        return undefined;
      },
    };
  }

  #trialPass(entry: Entry, trial: Trial): CallPass {
    return {
      settle: async (outcome) => {
        const told: TrialOutcome = OUTCOME_OF_TRIAL[outcome];
        const reply = await this.#tell(entry, () => this.#fleet.end(entry.name, trial, told, this.settings));
        return reply?.answer === 'blamed' ? 'blamed' : undefined;
      },
    };
  }

  async #trip(entry: Entry): Promise<void> {
    const { name, record, local } = entry;
    const cause = local.summary;
    await this.#tell(entry, () => this.#fleet.trip(name, record?.generation ?? 0, cause, this.settings));
  }

  async #tell<Answer extends string>(
    entry: Entry,
    call: () => Promise<FleetReply<Answer>>,
  ): Promise<FleetReply<Answer> | undefined> {
    const reply = await this.#try(entry.name, call);
    if (reply !== undefined) {
      this.#setClock(reply.now);
      this.#apply(entry, reply.record, reply.now);
    }
    return reply;
  }

  /** Undefined when Redis did not serve in time. */
  async #try<T>(name: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await retryTransient(call, { deadlineMs: REDIS_DEADLINE_MS });
    } catch (error) {
      this.#onError(error, name);
      return undefined;
    }
  }
}
