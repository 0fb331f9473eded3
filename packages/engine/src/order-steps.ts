import type { StepGraph } from './step-graph.ts';

export interface StepOrder {
  /** Steps in an order in which each comes after its parents; steps of circles, and below them, are not in it. */
  sorted: readonly number[];
  /** By step: length of the longest chain that ends in it, in steps; 0 for steps that are not in `sorted`. */
  depths: readonly number[];
}

/** Kahn's algorithm over the graph's parents: linear in steps and edges, no recursion. */
export function orderSteps(graph: Pick<StepGraph, 'parents'>): StepOrder {
  const children = childrenOf(graph.parents);
  const waitingFor = graph.parents.map((parents) => parents.length);
  const depths = graph.parents.map(() => 0);
  const sorted: number[] = [];
  for (const [step, count] of waitingFor.entries()) if (count === 0) sorted.push(step);
  for (let next = 0; next < sorted.length; next += 1) {
    const step = sorted[next]!;
    depths[step] = 1 + Math.max(0, depths[step]!);
    for (const child of children[step]!) {
      depths[child] = Math.max(depths[child]!, depths[step]!);
      waitingFor[child]! -= 1;
      if (waitingFor[child] === 0) sorted.push(child);
    }
  }
  // Steps below a circle have been given the depth of what is above them.
  for (const [step, count] of waitingFor.entries()) if (count > 0) depths[step] = 0;
  return { sorted, depths };
}

/** The edges the other way round. */
export function childrenOf(parents: readonly (readonly number[])[]): number[][] {
  const children: number[][] = parents.map(() => []);
  for (const [step, above] of parents.entries()) for (const parent of above) children[parent]!.push(step);
  return children;
}
