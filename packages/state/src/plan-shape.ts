import type { WorkflowDefinition } from '@flotilla/contracts';

/** What state needs to know of a plan to name things; the engine's Plan satisfies it. State knows no rules. */
export interface PlanShape {
  hash: string;
  definition: WorkflowDefinition;
  /** About what it takes in memory; 10 KB when it is not said. */
  memoryBytes?: number;
  steps: readonly PlanShapeStep[];
  stepIndex: ReadonlyMap<string, number>;
  groups: readonly { members: readonly number[] }[];
  entryGroup: number | undefined;
  endSteps: number;
  timeoutMs: number | undefined;
  output: object | undefined;
}

export interface PlanShapeStep {
  index: number;
  id: string;
  title: string | undefined;
  kind: string;
  needs: readonly number[];
  /** What a worker must have for it; undefined of steps that need no worker. */
  work?:
    | { use: string; capability: string | undefined; queue: string; compensation?: { use: string } | undefined }
    | undefined;
}

/** Turns stored definition text into a plan; memoised by content. Throws when the stored text does not compile. */
export type CompilePlan<P extends PlanShape> = (definitionText: string) => P | Promise<P>;

/** `3` of a step, `3.7` of the eighth item of map step 3; `3!2`, `3.7!2` of the run's third cleanup, which is one of them. */
export type StepKey = string;

export interface ParsedStepKey {
  step: number;
  item: number | undefined;
  /** Number of a cleanup of the run. */
  cleanup: number | undefined;
}

export function parseStepKey(key: StepKey): ParsedStepKey {
  const mark = key.indexOf('!');
  const stepKey = mark < 0 ? key : key.slice(0, mark);
  const cleanup = mark < 0 ? undefined : Number(key.slice(mark + 1));
  const dot = stepKey.indexOf('.');
  return dot < 0
    ? { step: Number(stepKey), item: undefined, cleanup }
    : { step: Number(stepKey.slice(0, dot)), item: Number(stepKey.slice(dot + 1)), cleanup };
}

/** The id users see: `notify`, `notify[3]`; of a cleanup that of its step. */
/** The key of a step, or of an item of a map (`notify[3]`); undefined when the definition has no such step. */
export function keyOfStep(plan: PlanShape, stepId: string): StepKey | undefined {
  const [, id = stepId, item] = /^(.+)\[(\d{1,9})\]$/.exec(stepId) ?? [];
  const index = plan.stepIndex.get(id);
  if (index === undefined) return undefined;
  return item === undefined ? String(index) : `${index}.${Number(item)}`;
}

export function stepIdOf(plan: PlanShape, key: StepKey): string {
  const { step, item } = parseStepKey(key);
  const id = plan.steps[step]?.id ?? `#${key}`;
  return item === undefined ? id : `${id}[${item}]`;
}
