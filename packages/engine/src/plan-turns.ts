import type { StepDefinition } from '@flotilla/contracts';
import type { Expression, PlanTurns } from './plan.ts';

type TurnStep = Extract<StepDefinition, { kind: 'handoff' | 'conversation' }>;

/** Bytes of a conversation that a turn sees, unless the step says how many. */
const DEFAULT_TRANSCRIPT_BYTES = 16_384;

export function planTurns(step: TurnStep, next: Expression | undefined): PlanTurns {
  if (step.kind === 'handoff') {
    const targets = Object.entries(step.agents).map(([name, agent]) => [name, agent.targets ?? []] as const);
    return { form: 'handoff', start: step.start, targets: new Map(targets) };
  }
  const { participants, maxTranscriptBytes = DEFAULT_TRANSCRIPT_BYTES } = step;
  return { form: 'conversation', participants, next, maxTranscriptBytes };
}

/** A hop lies between two turns. */
export function mostTurns(step: TurnStep): number {
  return step.kind === 'handoff' ? step.maxHops + 1 : step.maxTurns;
}
