import { type AgentView, didYouMean, type Problem } from '@flotilla/contracts';
import { hasEach, type Plan, type PlanStep } from '@flotilla/engine';
import { answerWithin } from './bounded-api.ts';
import type { RunApi } from './run-api.ts';

const FRESH_MS = 1000;
/** A submission does not wait longer than this for the sake of its warnings. */
const PATIENCE_MS = 300;
/** Names that are compared with those that there are; a workflow may use thousands that nobody has. */
const MAX_SUGGESTIONS = 20;

/** The agents that are alive, looked up at most once a second however many runs are started. */
export class LiveAgents {
  readonly #api: Pick<RunApi, 'listAgents'>;
  #agents: AgentView[] | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<AgentView[] | undefined> | undefined;

  constructor(api: Pick<RunApi, 'listAgents'>) {
    this.#api = api;
  }

  /** Undefined when the list could not be read: a submission is not refused for that, it just has no warnings. */
  async list(): Promise<AgentView[] | undefined> {
    if (performance.now() - this.#readAt < FRESH_MS) return this.#agents;
    this.#reading ??= this.#read();
    return this.#reading;
  }

  async #read(): Promise<AgentView[] | undefined> {
    try {
      const agents = await answerWithin(this.#api.listAgents(), PATIENCE_MS, false);
      this.#agents = agents.filter(({ status }) => status !== 'lost' && status !== 'draining');
    } catch {
      this.#agents = undefined; // whoever asks for agents themselves is told why
    } finally {
      this.#readAt = performance.now();
      this.#reading = undefined;
    }
    return this.#agents;
  }
}

/** One warning for each handler and capability that no living worker has now, at the first step that needs it. */
export function missingHandlers(plan: Plan, agents: readonly AgentView[]): Problem[] {
  const handlers = new Set(agents.flatMap((agent) => agent.handlers));
  const capabilities = new Set(agents.flatMap((agent) => agent.capabilities));
  const warnings: Problem[] = [];
  const nearMiss = (name: string, known: ReadonlySet<string>): string =>
    warnings.length < MAX_SUGGESTIONS ? didYouMean(name, known) : '';
  for (const { name, capability, path, steps } of needsOf(plan)) {
    if (capability ? capabilities.has(name) : handlers.has(name)) continue;
    const others = steps > 1 ? ` and ${steps - 1} more` : '';
    const what = capability ? 'capability' : 'handler';
    const suggestion = nearMiss(name, capability ? capabilities : handlers);
    const message = `no worker has the ${what} ${name} now: the step${others} will wait for one${suggestion}`;
    const code = capability ? 'CAPABILITY_NOT_AVAILABLE' : 'HANDLER_NOT_AVAILABLE';
    warnings.push({ code, path, message, severity: 'warning' });
  }
  return warnings;
}

interface Need {
  name: string;
  capability: boolean;
  path: string;
  steps: number;
}

const needsOfPlans = new WeakMap<Plan, readonly Need[]>();

function needsOf(plan: Plan): readonly Need[] {
  let needs = needsOfPlans.get(plan);
  if (needs === undefined) {
    needs = collectNeeds(plan.steps);
    needsOfPlans.set(plan, needs);
  }
  return needs;
}

function collectNeeds(steps: readonly PlanStep[]): readonly Need[] {
  const needs = new Map<string, Need>();
  for (const { id, map, work } of steps) {
    if (work === undefined) continue;
    const capability = work.capability !== undefined;
    const name = work.capability ?? work.use;
    const key = `${capability} ${name}`;
    const known = needs.get(key);
    if (known !== undefined) {
      known.steps += 1;
      continue;
    }
    const field = capability ? 'capability' : work.kind === 'http' ? 'kind' : 'use';
    const path = `/steps/${id}/${hasEach(map) ? 'each/' : ''}${field}`;
    needs.set(key, { name, capability, path, steps: 1 });
  }
  return [...needs.values()];
}
