import { isWorkStep, type MapEachDefinition, type StepDefinition } from '@flotilla/contracts';
import type { PlanMap } from './plan.ts';

/** What attempts of a step, or of its items, do; undefined of a step that needs no worker. */
export function workOf(step: StepDefinition): MapEachDefinition | undefined {
  if (isWorkStep(step)) return step;
  switch (step.kind) {
    case 'map':
    case 'loop':
    case 'handoff':
    case 'conversation':
      return step.each;
    case 'broadcast':
      return step.each ?? agentOf(step.capability, step.input);
    default:
      return undefined;
  }
}

/** Whether the work of its items stands in `each`; that of a broadcast to agents stands in the step itself. */
export function hasEach(map: PlanMap | undefined): boolean {
  return map !== undefined && map.count === undefined;
}

function agentOf(capability: string | undefined, input: MapEachDefinition['input']): MapEachDefinition | undefined {
  if (capability === undefined) return undefined;
  return { kind: 'agent', capability, ...(input !== undefined && { input }) };
}
