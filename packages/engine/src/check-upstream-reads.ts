import type { StepGraph } from './step-graph.ts';

/** A place of the document where an expression of `reader` reads `read`. */
export interface StepRead {
  reader: number;
  read: number;
  path: string;
}

const BITS = 32;

/**
 * The reads of steps that are not upstream of their reader: such a step need not have settled. Reads of a direct need
 * cost nothing; for the others 32 steps at a time are passed down the graph as bits. `sorted`: all steps, each after its parents.
 */
export function findReadsNotUpstream(
  reads: readonly StepRead[],
  graph: StepGraph,
  sorted: readonly number[],
): StepRead[] {
  const indirect = reads.filter(({ reader, read }) => !hasSorted(graph.parents[reader]!, read));
  const readsOf = new Map<number, StepRead[]>();
  for (const place of indirect) {
    const known = readsOf.get(place.read);
    if (known === undefined) readsOf.set(place.read, [place]);
    else known.push(place);
  }
  const targets = [...readsOf.keys()];
  const failing = new Set<StepRead>();
  for (let from = 0; from < targets.length; from += BITS) {
    const batch = targets.slice(from, from + BITS);
    const above = passDown(batch, graph, sorted);
    for (const [bit, target] of batch.entries()) {
      for (const place of readsOf.get(target)!) if ((above[place.reader]! & (1 << bit)) === 0) failing.add(place);
    }
  }
  return indirect.filter((place) => failing.has(place));
}

/** By step: the bits of those steps of the batch that are above it. */
function passDown(batch: readonly number[], graph: StepGraph, sorted: readonly number[]): Int32Array {
  const own = new Int32Array(graph.ids.length);
  for (const [bit, step] of batch.entries()) own[step] = 1 << bit;
  const above = new Int32Array(graph.ids.length);
  for (const step of sorted) {
    let bits = 0;
    for (const parent of graph.parents[step]!) bits |= above[parent]! | own[parent]!;
    above[step] = bits;
  }
  return above;
}

function hasSorted(sorted: readonly number[], wanted: number): boolean {
  let [low, high] = [0, sorted.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = sorted[middle]!;
    if (value === wanted) return true;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
