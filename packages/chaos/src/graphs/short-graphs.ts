import type { Chance } from '../random.ts';
import { type MixedGraph, mixedGraph } from './mixed-graphs.ts';

/** So many of a hundred runs have one step that takes seconds. */
const SLOW_SHARE = 0.08;

/**
 * Runs of a second or two: chains, fans, layers, maps, branches, retries and delays. Some have a step of 3 to 6 s, so that
 * there are always some that outlast a fault.
 */
export function shortGraph(chance: Chance): MixedGraph {
  return chance.next() < SLOW_SHARE ? slow(chance) : mixedGraph(chance);
}

function slow(chance: Chance): MixedGraph {
  const n = chance.between(0, 100);
  const steps = {
    long: { kind: 'task', use: 'flotilla.sleep', input: { ms: chance.between(3000, 6000) } },
    last: { kind: 'task', use: 'flotilla.echo', input: { n: '${{ run.input.n }}' }, needs: ['long'] },
  };
  const definition = { flotilla: 1 as const, name: 'chaos-slow', steps, output: '${{ steps.last.output.n }}' };
  return { shape: 'slow', definition, input: { n }, output: n };
}
