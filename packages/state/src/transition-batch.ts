import { FlotillaError } from '@flotilla/contracts';
import {
  isAccessDenied,
  isCluster,
  type LibraryFunction,
  type RedisClient,
  RedisUnavailableError,
  retryTransient,
  runFunction,
} from '@flotilla/redis';
import { transitionFunctions } from './lua-source.ts';
import type { Argument } from './pack-arguments.ts';

/** At most this many transitions a call: half of a worker's usual slots, so that it works on one group's replies while
 * Redis works on the other's. */
const MAX_GROUP = 32;
const CALLS_IN_FLIGHT = 2;

export type TransitionReply = readonly string[];

interface Waiting {
  tag: string;
  name: string;
  /** Of hot transitions: what many of a group have in common; sent once for those that stand together. */
  shared: readonly Argument[];
  args: readonly Argument[];
  resolve: (reply: TransitionReply) => void;
  reject: (error: unknown) => void;
}

interface Lane {
  hot: boolean;
  waiting: Waiting[];
  inFlight: number;
  scheduled: boolean;
}

export interface TransitionBatchOptions {
  client: RedisClient;
  namespace: string;
  /** Lease of a worker. Default 9000. */
  leaseDurationMs?: number;
  /** What is for `admission` a Redis over its memory limit refuses, `progress` it does not. */
  kind: 'progress' | 'admission';
  /** How long a call is tried again through a Redis outage. Every transition may be repeated without harm. */
  deadlineMs: number;
}

export const DEFAULT_LEASE_DURATION_MS = 9_000;

/**
 * Group commit: gathers a process's transitions and applies them in few calls of a function in Redis. While a call is under way others
 * gather; under no load a group is one transition and nothing waits. Each transition is answered for itself.
 *
 * One lane a function and slot: a standalone Redis takes transitions of all partitions in one call, a Cluster one lane a
 * partition. Claims and commits have a function and so lanes of their own.
 */
export class TransitionBatch {
  readonly #options: TransitionBatchOptions;
  readonly #function: LibraryFunction;
  readonly #lanes = new Map<string, Lane>();
  readonly #perPartition: boolean;
  readonly #head: [string, string];

  constructor(options: TransitionBatchOptions) {
    this.#options = options;
    this.#function = transitionFunctions[options.kind];
    this.#perPartition = isCluster(options.client);
    this.#head = [String(options.leaseDurationMs ?? DEFAULT_LEASE_DURATION_MS), options.namespace];
  }

  /** Applies one transition. Rejects with REDIS_UNAVAILABLE or STORAGE_FULL after the deadline, INTERNAL on a script error. */
  apply(tag: string, name: string, args: readonly Argument[]): Promise<TransitionReply> {
    return this.#enter(false, tag, name, NOTHING_SHARED, args);
  }

  /** The same for a claim or commit, whose `shared` arguments are often those of the one before. */
  applyHot(
    tag: string,
    name: 'claim' | 'commit',
    shared: readonly Argument[],
    args: readonly Argument[],
  ): Promise<TransitionReply> {
    return this.#enter(true, tag, name, shared, args);
  }

  #enter(
    hot: boolean,
    tag: string,
    name: string,
    shared: readonly Argument[],
    args: readonly Argument[],
  ): Promise<TransitionReply> {
    return new Promise((resolve, reject) => {
      const laneName = (hot ? 'hot' : '') + (this.#perPartition ? tag : '');
      let lane = this.#lanes.get(laneName);
      if (lane === undefined) {
        lane = { hot, waiting: [], inFlight: 0, scheduled: false };
        this.#lanes.set(laneName, lane);
      }
      lane.waiting.push({ tag, name, shared, args, resolve, reject });
      this.#schedule(lane);
    });
  }

  #schedule(lane: Lane): void {
    if (lane.scheduled || lane.inFlight >= CALLS_IN_FLIGHT || lane.waiting.length === 0) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      const group = lane.waiting.splice(0, MAX_GROUP);
      if (group.length === 0) return;
      lane.inFlight += 1;
      void this.#call(lane.hot, group).finally(() => {
        lane.inFlight -= 1;
        this.#schedule(lane);
      });
      this.#schedule(lane);
    });
  }

  async #call(hot: boolean, group: readonly Waiting[]): Promise<void> {
    const called = hot ? transitionFunctions.hot : this.#function;
    const args: Argument[] = [...this.#head];
    if (hot) pushHot(args, group);
    else pushEach(args, group);
    try {
      const replies = (await retryTransient(() => runFunction(this.#options.client, called, [group[0]!.tag], args), {
        deadlineMs: this.#options.deadlineMs,
      })) as TransitionReply[];
      group.forEach((waiting, index) => {
        const reply = replies[index]!;
        if (reply[0] === 'error') {
          waiting.reject(failureOf(waiting.name, String(reply[1])));
        } else {
          waiting.resolve(reply);
        }
      });
    } catch (error) {
      for (const waiting of group) waiting.reject(error);
    }
  }
}

/** What a transition ended with instead of a reply. Rights that a script lacks may be given to its user later. */
function failureOf(name: string, reply: string): FlotillaError {
  const message = `transition ${name} failed: ${reply}`;
  if (!isAccessDenied(new Error(reply))) return new FlotillaError('INTERNAL', message);
  return new RedisUnavailableError(message, { condition: 'access-denied', retryAfterMs: 5000, ambiguous: false });
}

const NOTHING_SHARED: readonly Argument[] = [];

/** Name, tag, number of arguments, arguments. */
function pushEach(args: Argument[], group: readonly Waiting[]): void {
  for (const { tag, name, args: own } of group) {
    args.push(name, tag, own.length);
    for (const argument of own) args.push(argument);
  }
}

/** Name, tag, number of transitions with the same shared arguments, these, and the own ones of each. */
function pushHot(args: Argument[], group: readonly Waiting[]): void {
  for (let first = 0; first < group.length; ) {
    const { tag, name, shared } = group[first]!;
    let next = first + 1;
    while (next < group.length && group[next]!.name === name && areSame(group[next]!.shared, shared)) next += 1;
    args.push(name, tag, next - first);
    for (const argument of shared) args.push(argument);
    for (; first < next; first += 1) for (const argument of group[first]!.args) args.push(argument);
  }
}

function areSame(some: readonly Argument[], others: readonly Argument[]): boolean {
  for (let index = 0; index < some.length; index += 1) if (some[index] !== others[index]) return false;
  return true;
}
