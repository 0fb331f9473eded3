import type { WorkflowDefinition } from '@flotilla/contracts';

/** A shape of work. Steps do nothing but return `{ i }`, or wait first. */
export type Graph =
  | {
      kind: 'chain';
      steps: number;
      /** How long each step waits. */
      stepMs: number;
      /** How long the last one waits instead. */
      lastStepMs?: number;
    }
  /** One step, `width` parallel ones, and one that needs all of these. */
  | { kind: 'fan'; width: number }
  /** Each step beyond the first layer needs two of the layer before; pairs of steps need the same two. */
  | { kind: 'layers'; layers: number; width: number };

/** A graph that BullMQ plain and the limit can run as well. */
export type PlainGraph = Extract<Graph, { kind: 'chain' | 'fan' }>;

export function stepsOf(graph: Graph): number {
  if (graph.kind === 'chain') return graph.steps;
  return graph.kind === 'fan' ? graph.width + 2 : graph.layers * graph.width;
}

/** Needs a step, on average. */
export function needsPerStep(graph: Graph): number {
  const { steps } = definitionOf(graph);
  return Object.values(steps).reduce((sum, { needs = [] }) => sum + needs.length, 0) / stepsOf(graph);
}

/** Waits that `bench-handlers.ts` has a handler for. */
export const WAITS_MS = [50, 200, 4000] as const;

/** The handler of a step that waits so long. */
export function handlerOf(waitMs: number): string {
  return waitMs === 0 ? 'bench.noop' : `bench.wait-${waitMs}`;
}

export function workflowName(graph: Graph): string {
  const sizes = Object.values(graph).filter((value) => typeof value === 'number');
  return `bench-${graph.kind}-${sizes.join('-')}`;
}

export function definitionOf(graph: Graph): WorkflowDefinition {
  return { flotilla: 1, name: workflowName(graph), steps: stepsByKind(graph) };
}

function stepsByKind(graph: Graph): WorkflowDefinition['steps'] {
  if (graph.kind === 'chain') return chain(graph);
  return graph.kind === 'fan' ? fan(graph.width) : layers(graph.layers, graph.width);
}

function task(waitMs: number, needs: readonly string[]): WorkflowDefinition['steps'][string] {
  return { kind: 'task', use: handlerOf(waitMs), ...(needs.length > 0 ? { needs: [...needs] } : {}) };
}

function chain({ steps, stepMs, lastStepMs = stepMs }: Extract<Graph, { kind: 'chain' }>) {
  const found: WorkflowDefinition['steps'] = {};
  for (let index = 0; index < steps; index += 1) {
    found[`s${index}`] = task(index === steps - 1 ? lastStepMs : stepMs, index === 0 ? [] : [`s${index - 1}`]);
  }
  return found;
}

function fan(width: number) {
  const branches = Array.from({ length: width }, (_, index) => `b${index}`);
  const found: WorkflowDefinition['steps'] = { first: task(0, []) };
  for (const branch of branches) found[branch] = task(0, ['first']);
  found['last'] = task(0, branches);
  return found;
}

function layers(count: number, width: number) {
  const found: WorkflowDefinition['steps'] = {};
  for (let layer = 0; layer < count; layer += 1) {
    for (let index = 0; index < width; index += 1) {
      // A pair shares its needs whatever the width is, so that each step counts down one join, in small and in large.
      const pair = index - (index % 2);
      const needs = [pair, (pair + 3) % width].map((need) => `s${layer - 1}-${need}`);
      found[`s${layer}-${index}`] = task(0, layer === 0 ? [] : needs);
    }
  }
  return found;
}
