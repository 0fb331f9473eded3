import { createHash } from 'node:crypto';
import type { WorkflowDefinition } from '@flotilla/contracts';
import canonicalize from 'canonicalize';
import type { PlanShape, PlanShapeStep } from '../plan-shape.ts';

export interface ShapeStep {
  id: string;
  kind?: 'task' | 'map' | 'delay';
  /** Indexes of steps that stand before it. */
  needs?: readonly number[];
}

/** A plan as far as state knows plans, without the engine: one group a step, in the order given. */
export function shapeOf(name: string, steps: readonly ShapeStep[]): PlanShape {
  const definition = {
    flotilla: 1,
    name,
    steps: Object.fromEntries(steps.map(({ id }) => [id, { kind: 'task', use: 'work' }])),
    // Two shapes are two definitions.
    metadata: { shape: JSON.stringify(steps) },
  } as const satisfies WorkflowDefinition;
  const shapes: PlanShapeStep[] = steps.map(({ id, kind = 'task', needs = [] }, index) => ({
    index,
    id,
    title: undefined,
    kind,
    needs,
  }));
  return {
    hash: hashOf(definition),
    definition,
    steps: shapes,
    stepIndex: new Map(shapes.map(({ id, index }) => [id, index])),
    groups: shapes.map(({ index }) => ({ members: [index] })),
    entryGroup: 0,
    endSteps: steps.length,
    timeoutMs: undefined,
    output: undefined,
  };
}

/** As the engine does it. */
export function hashOf(definition: WorkflowDefinition): string {
  return createHash('sha256').update(canonicalize(definition)!).digest('hex');
}
