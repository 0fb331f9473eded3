import { type AgentView, didYouMean, type Problem, pointerToken } from '@flotilla/contracts';
import { hasEach, type Plan } from '@flotilla/engine';

/** The steps whose handler or capability no living worker has, as problems of the definition. */
export function missingHandlers(plan: Plan, agents: readonly AgentView[]): Problem[] {
  const living = agents.filter(({ status }) => status !== 'lost');
  const handlers = new Set(living.flatMap((agent) => agent.handlers));
  const capabilities = new Set(living.flatMap((agent) => agent.capabilities));
  return plan.steps.flatMap(({ id, map, work }): Problem[] => {
    if (work === undefined) return [];
    const each = hasEach(map) ? '/each' : '';
    const { capability } = work;
    const known = capability === undefined ? handlers.has(work.use) : capabilities.has(capability);
    if (known) return [];
    const path = `/steps/${pointerToken(id)}${each}/${fieldOf(work.kind)}`;
    const what = capability === undefined ? `the handler ${work.use}` : `an agent that can do ${capability}`;
    const suggestion = capability === undefined ? didYouMean(work.use, handlers) : didYouMean(capability, capabilities);
    return [{ code: 'HANDLER_NOT_AVAILABLE', path, message: `no worker has ${what} now${suggestion}` }];
  });
}

function fieldOf(kind: 'task' | 'agent' | 'http'): string {
  if (kind === 'task') return 'use';
  return kind === 'agent' ? 'capability' : 'kind';
}
