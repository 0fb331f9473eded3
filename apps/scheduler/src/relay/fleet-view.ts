import type { AgentView } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { deploymentKeys, type State } from '@flotilla/state';
import { LRUCache } from 'lru-cache';

/** A task names about this much work, so that tiny steps share the cost of a queue hop. */
const TASK_WORK_MS = 25;
const MOST_STEPS_IN_TASK = 64;
/** Steps that nobody can take are looked at again after as long as their handler has been missing, within these. */
const FIRST_LOOK_MS = 1000;
const LONGEST_LOOK_MS = 30_000;

/**
 * What the relay knows of the fleet, at most a moment old: which handlers living workers have, and how long their steps
 * take. Refreshed in the background; decisions never wait for it.
 */
export class FleetView {
  readonly #state: State<Plan>;
  #agents: AgentView[] = [];
  #durations: Record<string, string> = {};
  #handlers: ReadonlySet<string> = new Set();
  /** Since when handlers have been missing, monotonic. Forgetting one costs a few more looks. */
  readonly #missingSince = new LRUCache<string, number>({ max: 10_000 });
  #arrivals = 0;

  constructor(state: State<Plan>) {
    this.#state = state;
  }

  async refresh(): Promise<void> {
    const { client, namespace } = this.#state;
    const [agents, durations] = await Promise.all([
      this.#state.listAgents(),
      client.hgetall(deploymentKeys(namespace).durations),
    ]);
    this.#agents = agents.filter(({ status }) => status === 'healthy');
    this.#durations = durations;
    const handlers = new Set(
      this.#agents.flatMap(({ queues, handlers }) =>
        queues.flatMap((queue) => handlers.map((use) => `${queue}\n${use}`)),
      ),
    );
    if ([...handlers].some((handler) => !this.#handlers.has(handler))) this.#arrivals += 1;
    for (const handler of handlers) this.#missingSince.delete(handler);
    this.#handlers = handlers;
  }

  /** Grows when a queue has a handler that it did not have at the last refresh. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /**
   * When to look again whether a step may be taken that may not be taken now: each time as long as its handler has been
   * missing, 1 to 30 s, and up to a quarter more, so that steps parked together do not come back together.
   */
  lookAgainInMs(queue: string, use: string): number {
    const now = performance.now();
    const since = this.#missingSince.get(`${queue}\n${use}`) ?? now;
    this.#missingSince.set(`${queue}\n${use}`, since);
    return Math.round(Math.min(LONGEST_LOOK_MS, Math.max(FIRST_LOOK_MS, now - since)) * (1 + Math.random() / 4));
  }

  /** False only when living workers serve the queue and none of them has the handler: with none at all, tasks wait for one. */
  mayBeTaken(queue: string, use: string): boolean {
    const serving = this.#agents.filter(({ queues }) => queues.includes(queue));
    return serving.length === 0 || serving.some(({ handlers }) => handlers.includes(use));
  }

  /** Steps of a handler that make one task: 1 when they take time or nothing is known, up to 64 tiny ones. */
  stepsPerTask(queue: string, use: string): number {
    const meanMs = Number(this.#durations[`${queue}/${use}`] ?? Number.NaN);
    if (!(meanMs > 0)) return 1;
    const most = this.#agents.reduce(
      (slots, { queues, load }) => (queues.includes(queue) ? Math.max(slots, load.slots) : slots),
      1,
    );
    return Math.max(1, Math.min(MOST_STEPS_IN_TASK, most, Math.floor(TASK_WORK_MS / meanMs)));
  }
}
