import type { MapEachDefinition, StepDefinition, WaitStepDefinition, WorkStepDefinition } from './definition.ts';

/** What a step can wait for outside its run. */
export const WAIT_KINDS = ['signal', 'approval', 'webhook', 'workflow', 'send', 'receive'] as const;
export type WaitKind = (typeof WAIT_KINDS)[number];

/** Kinds of steps whose work is done by items: attempts are of `step[0]`, `step[1]` …, never of the step itself. */
export const ITEM_STEP_KINDS = ['map', 'broadcast', 'loop', 'handoff', 'conversation'] as const;
export type ItemStepKind = (typeof ITEM_STEP_KINDS)[number];

export function makesItems({ kind }: { kind: string }): boolean {
  return (ITEM_STEP_KINDS as readonly string[]).includes(kind);
}

export function isWaitStep(step: StepDefinition): step is WaitStepDefinition {
  return (WAIT_KINDS as readonly string[]).includes(step.kind);
}

export function isWorkStep(step: StepDefinition | MapEachDefinition): step is WorkStepDefinition {
  return step.kind === 'task' || step.kind === 'agent' || step.kind === 'http';
}
