import { isWorkStep, type MapEachDefinition, type StepDefinition } from '@flotilla/contracts';

/** What attempts of a step, or of its items, do; undefined of a step that needs no worker. */
export function workOf(step: StepDefinition): MapEachDefinition | undefined {
  if (isWorkStep(step)) return step;
  switch (step.kind) {
    case 'map':
    case 'loop':
      return step.each;
    case 'broadcast':
      return step.each ?? agentOf(step.capability, step.input);
    default:
      return undefined;
  }
}

function agentOf(capability: string | undefined, input: MapEachDefinition['input']): MapEachDefinition | undefined {
  if (capability === undefined) return undefined;
  return { kind: 'agent', capability, ...(input !== undefined && { input }) };
}
