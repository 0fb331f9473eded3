import type { MapEachDefinition, StepDefinition, WaitStepDefinition, WorkStepDefinition } from './definition.ts';

/** What a step can wait for outside its run. */
export const WAIT_KINDS = ['signal', 'approval', 'webhook', 'workflow', 'send', 'receive'] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

export function isWaitStep(step: StepDefinition): step is WaitStepDefinition {
  return (WAIT_KINDS as readonly string[]).includes(step.kind);
}

export function isWorkStep(step: StepDefinition | MapEachDefinition): step is WorkStepDefinition {
  return step.kind === 'task' || step.kind === 'agent' || step.kind === 'http';
}
