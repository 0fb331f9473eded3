import {
  type BreakerRecord,
  type FleetBreakers,
  judgeBreaker,
  ReturnSpread,
  returnSpreadMs,
  sinceOf,
} from '@flotilla/breakers';
import { type BreakerView as Breaker, DEFAULT_FLAGS, type Flags } from '@flotilla/contracts';
import { isOnForRun, type Plan } from '@flotilla/engine';
import type { ParkedBehind, State } from '@flotilla/state';
import { LRUCache } from 'lru-cache';

/** A breaker that a person opened has no end: its steps are looked at this often. */
const MANUAL_LOOK_MS = 30_000;
/** Steps are woken again to test the way back when none of those woken before has begun to within this time. */
const WAKE_AGAIN_MS = 1000;

interface Known {
  record: BreakerRecord;
  /** Steps that it keeps parked. */
  parked: number;
  /**
   * Steps that may still go to workers before the next refresh, to ask whether they are what tests the way back; undefined
   * until the first of them comes when that may be asked.
   */
  probes: number | undefined;
}

/**
 * What the relay knows of the fleet's breakers, at most a moment old. Steps behind one that is open are parked without
 * becoming tasks; when the way back may be tested, as many go to workers as may test it.
 */
export class BreakerView {
  readonly #state: State<Plan>;
  readonly #flags: Flags;
  readonly #fleet: FleetBreakers;
  /** Those that are not closed. */
  #known = new Map<string, Known>();
  readonly #spreads = new LRUCache<string, ReturnSpread>({ max: 1000 });
  /** When steps were last woken to test the way back, by breaker and generation; Redis' clock. */
  readonly #wokenAt = new LRUCache<string, number>({ max: 1000 });
  /** Redis' clock minus the monotonic one. */
  #clockOffsetMs = 0;

  constructor(state: State<Plan>, fleet: FleetBreakers, flags: Flags = DEFAULT_FLAGS) {
    this.#state = state;
    this.#flags = flags;
    this.#fleet = fleet;
  }

  /** Reads what has changed, wakes the steps that are to test a way back, and brings back those whose breaker has closed. */
  async refresh(): Promise<void> {
    const { now, records } = await this.#fleet.read();
    this.#clockOffsetMs = now - performance.now();
    const open = [...records].filter(([, { state }]) => state !== 'closed');
    const parked = await Promise.all(open.map(([name]) => this.#behind(name).count(now)));
    const before = this.#known;
    this.#known = new Map(
      open.map(([name, record], index) => {
        return [name, { record, parked: parked[index]!, probes: undefined }];
      }),
    );
    const closed = [...before].filter(([name]) => !this.#known.has(name));
    await Promise.all([
      ...open.map(([name, record]) => this.#wakeTrials(name, record, now)),
      ...closed.map(([name, { parked: waiting }]) => this.#behind(name).bringBack(now, returnSpreadMs(waiting))),
    ]);
  }

  async #wakeTrials(name: string, record: BreakerRecord, now: number): Promise<void> {
    const judgement = judgeBreaker(record, now);
    const wokenAt = this.#wokenAt.get(`${name}|${record.generation}`) ?? Number.NEGATIVE_INFINITY;
    if (judgement.may !== 'ask' || now - wokenAt < WAKE_AGAIN_MS) return;
    this.#wokenAt.set(`${name}|${record.generation}`, now);
    await this.#behind(name).wakeNext(now, judgement.calls);
  }

  /** For how long a run's ready step behind this breaker is to be parked; undefined when it may go to workers. */
  parkMs(name: string, runId: string): number | undefined {
    const known = this.#known.get(name);
    if (known === undefined || !isOnForRun(this.#flags, 'breakers', runId)) return undefined;
    const now = this.#clockOffsetMs + performance.now();
    const judgement = judgeBreaker(known.record, now);
    if (judgement.may === 'go') return undefined;
    if (judgement.may === 'ask') {
      known.probes ??= judgement.calls;
      if (known.probes > 0) {
        known.probes -= 1;
        return undefined;
      }
    }
    // Who may ask now but is one too many looks again when the answer is known.
    const until = judgement.may === 'wait' ? (judgement.until ?? now + MANUAL_LOOK_MS) : now;
    // All that wait in one state of the breaker share a spread: they are told apart however often they look.
    const spread = this.#spreadOf(name);
    // Many may have been parked since they were counted.
    const place = spread.next(known.record.generation, returnSpreadMs(Math.max(known.parked, spread.taken)));
    return Math.max(1, Math.ceil(until - now) + place);
  }

  /** All breakers of the fleet, by name. */
  async listBreakers(): Promise<Breaker[]> {
    const { now, records } = await this.#fleet.read();
    const breakers = await Promise.all(
      Array.from(records, async ([name, record]) => viewOf(name, record, await this.#behind(name).count(now))),
    );
    return breakers.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Those of these names that anybody has used within a day. */
  async find(names: readonly string[]): Promise<ReadonlyMap<string, Breaker>> {
    const found = await Promise.all(
      names.map(async (name) => {
        const { now, record } = await this.#fleet.readOne(name);
        return record === undefined ? undefined : viewOf(name, record, await this.#behind(name).count(now));
      }),
    );
    return new Map(found.flatMap((breaker) => (breaker === undefined ? [] : [[breaker.name, breaker] as const])));
  }

  /** By hand; it stays open until it is closed by hand. */
  async openBreaker(name: string): Promise<Breaker> {
    const { record, now } = await this.#fleet.open(name);
    return viewOf(name, record, await this.#behind(name).count(now));
  }

  async closeBreaker(name: string): Promise<Breaker> {
    const { record, now } = await this.#fleet.close(name);
    return viewOf(name, record, await this.#behind(name).count(now));
  }

  #behind(name: string): ParkedBehind {
    return this.#state.parkedBehind(name);
  }

  #spreadOf(name: string): ReturnSpread {
    let spread = this.#spreads.get(name);
    if (spread === undefined) {
      spread = new ReturnSpread();
      this.#spreads.set(name, spread);
    }
    return spread;
  }
}

function viewOf(name: string, record: BreakerRecord, parked: number): Breaker {
  const { state, openUntil, manual = false, cause, trials } = record;
  return {
    name,
    state,
    since: sinceOf(record),
    ...(state === 'open' && openUntil !== undefined ? { openUntil } : {}),
    parked,
    manual,
    ...(cause === undefined ? {} : { cause }),
    trials: Object.keys(trials).length,
  };
}
