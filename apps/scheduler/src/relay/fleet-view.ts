import type { AgentView } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { deploymentKeys, type State } from '@flotilla/state';

/** A task names about this much work, so that tiny steps share the cost of a queue hop. */
const TASK_WORK_MS = 25;
const MOST_STEPS_IN_TASK = 64;

/**
 * What the relay knows of the fleet, at most a moment old: which handlers living workers have, and how long their steps
 * take. Refreshed in the background; decisions never wait for it.
 */
export class FleetView {
  readonly #state: State<Plan>;
  #agents: AgentView[] = [];
  #durations: Record<string, string> = {};

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
