import type { Json } from '@flotilla/contracts';
import type { Chance } from '../random.ts';

/** A workflow of short steps whose right end is known beforehand. */
export interface MixedGraph {
  shape: string;
  definition: { flotilla: 1; name: string; steps: Record<string, object>; output: unknown };
  input: Json;
  output: Json;
  /** Its caller cancels it at some moment: it ends so where that came in time, and as otherwise where it did not. */
  isCancelled?: boolean;
}

const SHORTEST_MS = 50;
const LONGEST_MS = 500;

type Shape = (chance: Chance, size: number) => Omit<MixedGraph, 'shape'>;

/**
 * One of several shapes, filled by chance: chains, fans, layers, maps, branches, retries and delays of 50 to 500 ms.
 * `size` makes the longer shapes that many times as long; 1 lasts 1 to 3 seconds.
 */
export function mixedGraph(chance: Chance, size = 1): MixedGraph {
  const [shape, make] = chance.pick(Object.entries(SHAPES));
  return { shape, ...make(chance, size) };
}

const SHAPES: Record<string, Shape> = {
  chain: (chance, size) => {
    const steps: Record<string, object> = {};
    const length = chance.between(3, 6) * size;
    for (let index = 0; index < length; index += 1) {
      steps[`s${index}`] = sleep(chance, index === 0 ? [] : [`s${index - 1}`]);
    }
    steps['last'] = echo({ n: '${{ run.input.n + 1 }}' }, [`s${length - 1}`]);
    return known('chain', steps, '${{ steps.last.output.n }}', chance, (n) => n + 1);
  },
  fan: (chance) => {
    const steps: Record<string, object> = { first: echo({ n: '${{ run.input.n }}' }, []) };
    const width = chance.between(4, 10);
    const names = Array.from({ length: width }, (_, index) => `s${index}`);
    for (const name of names) steps[name] = sleep(chance, ['first']);
    steps['last'] = echo({ n: '${{ steps.first.output.n * 2 }}' }, names);
    return known('fan', steps, '${{ steps.last.output.n }}', chance, (n) => n * 2);
  },
  layers: (chance, size) => {
    const steps: Record<string, object> = {};
    let before: string[] = [];
    for (let layer = 0; layer < 3 * size; layer += 1) {
      const names = Array.from({ length: chance.between(2, 4) }, (_, index) => `s${layer}-${index}`);
      for (const name of names) {
        steps[name] = sleep(
          chance,
          before.filter((_, index) => index === 0 || chance.next() < 0.6),
        );
      }
      before = names;
    }
    steps['last'] = echo({ n: '${{ run.input.n - 1 }}' }, before);
    return known('layers', steps, '${{ steps.last.output.n }}', chance, (n) => n - 1);
  },
  map: (chance, size) => {
    const items = Array.from({ length: chance.between(3, 7) * size }, () => chance.between(SHORTEST_MS, LONGEST_MS));
    const steps = {
      each: {
        kind: 'map',
        over: 'run.input.items',
        concurrency: chance.between(1, 4),
        each: { kind: 'task', use: 'flotilla.sleep', input: { ms: '${{ item }}' } },
      },
      last: echo({ n: '${{ size(steps.each.output) }}' }, ['each']),
    };
    const definition = { flotilla: 1 as const, name: 'chaos-map', steps, output: '${{ steps.last.output.n }}' };
    return { definition, input: { items }, output: items.length };
  },
  branch: (chance) => {
    const steps = {
      first: sleep(chance, []),
      choose: {
        kind: 'branch',
        needs: ['first'],
        cases: [{ when: 'run.input.n > 50', to: 'large' }],
        otherwise: 'small',
      },
      large: sleep(chance, []),
      small: sleep(chance, []),
      last: echo({ n: "${{ steps.large.status == 'succeeded' ? 1 : 0 }}" }, ['large', 'small']),
    };
    return known('branch', steps, '${{ steps.last.output.n }}', chance, (n) => (n > 50 ? 1 : 0));
  },
  retry: (chance) => {
    const steps = {
      first: sleep(chance, []),
      fails: {
        kind: 'task',
        use: 'flotilla.fail',
        needs: ['first'],
        input: { times: 1 },
        retry: { maxAttempts: 3, initialMs: 100, maxMs: 300 },
      },
      wait: { kind: 'delay', needs: ['fails'], forMs: chance.between(SHORTEST_MS, LONGEST_MS) },
      after: sleep(chance, ['wait']),
    };
    return known('retry', steps, '${{ steps.fails.output.attempts }}', chance, () => 2);
  },
};

/**
 * The graph with a step beside the others that saves its progress and then fails once: another attempt goes on from there. Needs
 * the handlers of `chaos-handlers.ts`.
 */
export function withProgress(graph: MixedGraph, chance: Chance): MixedGraph {
  const pages = chance.between(2, 4);
  const step = {
    kind: 'task',
    use: 'save-pages',
    input: { pages, failsAfter: chance.between(1, pages - 1) },
    // A Redis that is killed may take back the page after which it failed.
    retry: { maxAttempts: 5, initialMs: 50, maxMs: 200 },
  };
  return withStep(graph, 'saves', step);
}

/** The graph with a step beside the others that is undone when the run is cancelled, which its caller does. */
export function withCancellation(graph: MixedGraph): MixedGraph {
  const step = { kind: 'task', use: 'flotilla.echo', input: { seats: 2 }, compensate: 'flotilla.echo' };
  return { ...withStep(graph, 'books', step), isCancelled: true };
}

function withStep(graph: MixedGraph, name: string, step: object): MixedGraph {
  const { definition } = graph;
  return { ...graph, definition: { ...definition, steps: { ...definition.steps, [name]: step } } };
}

function known(
  name: string,
  steps: Record<string, object>,
  output: string,
  chance: Chance,
  result: (n: number) => number,
): Omit<MixedGraph, 'shape'> {
  const n = chance.between(0, 100);
  return { definition: { flotilla: 1, name: `chaos-${name}`, steps, output }, input: { n }, output: result(n) };
}

function sleep(chance: Chance, needs: readonly string[]): object {
  const ms = chance.between(SHORTEST_MS, LONGEST_MS);
  return { kind: 'task', use: 'flotilla.sleep', input: { ms }, ...(needs.length > 0 && { needs }) };
}

function echo(input: object, needs: readonly string[]): object {
  return { kind: 'task', use: 'flotilla.echo', input, ...(needs.length > 0 && { needs }) };
}
