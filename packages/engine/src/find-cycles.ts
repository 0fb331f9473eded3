import { childrenOf, type StepOrder } from './order-steps.ts';
import type { StepGraph } from './step-graph.ts';

/**
 * The circles of a graph: for each group of steps that all reach each other, one shortest circle through its first
 * step, as indexes in the direction in which the run would go, without repeating the first. Iterative.
 */
export function findCycles(graph: Pick<StepGraph, 'parents'>, order: StepOrder): number[][] {
  if (order.sorted.length === graph.parents.length) return [];
  const rest = new Set(graph.parents.keys());
  for (const step of order.sorted) rest.delete(step);
  const children = childrenOf(graph.parents);
  const cycles: number[][] = [];
  for (const component of componentsOf(rest, children)) {
    const first = Math.min(...firstFew(component));
    const cycle = shortestCycle(first, new Set(component), children);
    if (cycle !== undefined) cycles.push(cycle);
  }
  return cycles.sort((left, right) => left[0]! - right[0]!);
}

/** `Math.min` takes its arguments on the stack: a circle of all steps is looked through in parts. */
function firstFew(component: readonly number[]): number[] {
  const minima: number[] = [];
  for (let from = 0; from < component.length; from += 1000)
    minima.push(Math.min(...component.slice(from, from + 1000)));
  return minima;
}

/** Strongly connected components (Tarjan) of the steps in `rest`, with an explicit stack. */
function componentsOf(rest: ReadonlySet<number>, children: readonly (readonly number[])[]): number[][] {
  const order = new Map<number, number>();
  const low = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  const components: number[][] = [];
  for (const root of rest) {
    if (order.has(root)) continue;
    const visits = [{ step: root, next: 0 }];
    while (visits.length > 0) {
      const visit = visits.at(-1)!;
      const { step } = visit;
      if (visit.next === 0) {
        order.set(step, order.size);
        low.set(step, order.get(step)!);
        open.push(step);
        isOpen.add(step);
      }
      const child = children[step]![visit.next];
      visit.next += 1;
      if (child !== undefined) {
        if (!rest.has(child)) continue;
        if (!order.has(child)) visits.push({ step: child, next: 0 });
        else if (isOpen.has(child)) low.set(step, Math.min(low.get(step)!, order.get(child)!));
        continue;
      }
      visits.pop();
      const parent = visits.at(-1);
      if (parent !== undefined) low.set(parent.step, Math.min(low.get(parent.step)!, low.get(step)!));
      if (low.get(step) === order.get(step)) components.push(closeComponent(step, open, isOpen));
    }
  }
  return components;
}

function closeComponent(root: number, open: number[], isOpen: Set<number>): number[] {
  const component: number[] = [];
  while (true) {
    const step = open.pop()!;
    isOpen.delete(step);
    component.push(step);
    if (step === root) return component;
  }
}

/** Breadth first from a step back to itself; undefined when the component is a single step without a loop. */
function shortestCycle(
  first: number,
  component: ReadonlySet<number>,
  children: readonly (readonly number[])[],
): number[] | undefined {
  const cameFrom = new Map<number, number>();
  const queue = [first];
  for (let next = 0; next < queue.length; next += 1) {
    const step = queue[next]!;
    for (const child of children[step]!) {
      if (child === first) return pathTo(step, first, cameFrom);
      if (!component.has(child) || cameFrom.has(child)) continue;
      cameFrom.set(child, step);
      queue.push(child);
    }
  }
  return undefined;
}

function pathTo(last: number, first: number, cameFrom: ReadonlyMap<number, number>): number[] {
  const path = [last];
  while (path.at(-1) !== first) path.push(cameFrom.get(path.at(-1)!)!);
  return path.reverse();
}
