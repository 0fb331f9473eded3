import type { AgentDirectory } from '@flotilla/agents';
import type { AgentView } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { LRUCache } from 'lru-cache';

/** A task names about this much work, so that tiny steps share the cost of a queue hop. */
const TASK_WORK_MS = 25;
const MOST_STEPS_IN_TASK = 64;
/** Of what the agents of a queue may make at once, the part that may be with agents for which a full task is too large. */
const TOO_SMALL_SHARE = 0.1;
/** Steps that nobody can take are looked at again after as long as their handler has been missing, within these. */
const FIRST_LOOK_MS = 1000;
const LONGEST_LOOK_MS = 30_000;
const STORAGE_LOOK_MS = 10_000;

/**
 * What the relay knows of the fleet, at most a moment old: which handlers living workers have, and how long their steps
 * take. Refreshed in the background; decisions never wait for it.
 */
export class FleetView {
  readonly #state: State<Plan>;
  readonly #directory: Pick<AgentDirectory, 'list'>;
  #living: readonly AgentView[] = [];
  #queues: ReadonlyMap<string, ServedQueue> = new Map();
  /** Queue -> steps that one task of it may have. */
  #roomOf: ReadonlyMap<string, number> = new Map();
  #durations: Record<string, string> = {};
  #handlers: ReadonlySet<string> = new Set();
  /** Since when handlers have been missing, monotonic. Forgetting one costs a few more looks. */
  readonly #missingSince = new LRUCache<string, number>({ max: 10_000 });
  #arrivals = 0;

  /** Redis has hardly any memory left: no step is handed out. */
  isHeldByStorage = false;

  constructor(state: State<Plan>, directory: Pick<AgentDirectory, 'list'>) {
    this.#state = state;
    this.#directory = directory;
  }

  async refresh(): Promise<void> {
    const [agents, durations] = await Promise.all([this.#directory.list(), this.#state.readDurations()]);
    this.#durations = durations;
    const living = agents.filter(({ status }) => status !== 'lost' && status !== 'draining');
    const isUnchanged = living.length === this.#living.length && living.every(isSameAs(this.#living));
    this.#living = living;
    this.#roomOf = roomOfTasks(living);
    if (isUnchanged) return;
    this.#queues = indexQueues(living);
    const handlers = new Set(
      Array.from(this.#queues, ([queue, { taken }]) => Array.from(taken, (use) => `${queue}\n${use}`)).flat(),
    );
    if ([...handlers].some((handler) => !this.#handlers.has(handler))) this.#arrivals += 1;
    for (const handler of handlers) this.#missingSince.delete(handler);
    this.#handlers = handlers;
  }

  /** Grows when an agent that takes work has a handler that none had at the last refresh, for the queue. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /**
   * When to look again whether a step may be taken that may not be taken now: each time as long as its handler has been
   * missing, 1 to 30 s, and up to a quarter more, so that steps parked together do not come back together.
   */
  lookAgainInMs(queue: string, use: string): number {
    // They are woken when there is room.
    if (this.isHeldByStorage) return Math.round(STORAGE_LOOK_MS * (1 + Math.random() / 4));
    const now = performance.now();
    const since = this.#missingSince.get(`${queue}\n${use}`) ?? now;
    this.#missingSince.set(`${queue}\n${use}`, since);
    return Math.round(Math.min(LONGEST_LOOK_MS, Math.max(FIRST_LOOK_MS, now - since)) * (1 + Math.random() / 4));
  }

  /**
   * Why nobody may take such a step now: the agents that could are unhealthy, or those that serve the queue lack the
   * handler. Nothing when somebody may, and when no living agent serves the queue at all: tasks wait for one.
   */
  obstacleTo(queue: string, use: string): 'storage' | 'agent-health' | 'no-handler' | undefined {
    if (this.isHeldByStorage) return 'storage';
    const served = this.#queues.get(queue);
    if (served === undefined || served.taken.has(use)) return undefined;
    return served.resting.has(use) ? 'agent-health' : 'no-handler';
  }

  /** Steps of a handler that make one task: 1 when they take time or nothing is known, up to 64 tiny ones. */
  stepsPerTask(queue: string, use: string): number {
    const meanMs = Number(this.#durations[`${queue}/${use}`] ?? Number.NaN);
    if (!(meanMs > 0)) return 1;
    const most = this.#roomOf.get(queue) ?? 1;
    return Math.max(1, Math.min(MOST_STEPS_IN_TASK, most, Math.floor(TASK_WORK_MS / meanMs)));
  }
}

interface ServedQueue {
  /** Handlers of agents that take work. */
  taken: Set<string>;
  /** Handlers of living agents that are unhealthy and take none. */
  resting: Set<string>;
}

function indexQueues(agents: readonly AgentView[]): Map<string, ServedQueue> {
  const index = new Map<string, ServedQueue>();
  for (const { queues, handlers, intake } of agents) {
    for (const queue of queues) {
      const served = index.get(queue) ?? { taken: new Set(), resting: new Set() };
      index.set(queue, served);
      const list = intake === 'none' ? served.resting : served.taken;
      for (const use of handlers) list.add(use);
    }
  }
  return index;
}

/**
 * How many steps a task may have, by what each agent may make at once now: its slots, or fewer while it is short of something.
 * An agent that a task is too large for hands the rest of it back, so no more than a tenth of the work may go to such.
 */
function roomOfTasks(agents: readonly AgentView[]): Map<string, number> {
  const limits = new Map<string, number[]>();
  for (const { queues, intake, load } of agents) {
    const limit = Math.min(load.slots, load.limit ?? load.slots);
    if (intake === 'none' || limit < 1) continue;
    for (const queue of queues) {
      const own = limits.get(queue);
      if (own === undefined) limits.set(queue, [limit]);
      else own.push(limit);
    }
  }
  return new Map(Array.from(limits, ([queue, own]) => [queue, roomWithin(own.sort((a, b) => a - b))]));
}

function roomWithin(ascending: readonly number[]): number {
  let left = ascending.reduce((sum, limit) => sum + limit, 0) * TOO_SMALL_SHARE;
  for (const limit of ascending) {
    left -= limit;
    if (left < 0) return limit;
  }
  return ascending.at(-1) ?? 1;
}

/** Whether an agent does the same work as the one in its place: what it can do does not change while it lives. */
const isSameAs = (former: readonly AgentView[]) => (agent: AgentView, index: number) => {
  const { agentId, intake, handlers } = former[index]!;
  return agentId === agent.agentId && intake === agent.intake && handlers === agent.handlers;
};
