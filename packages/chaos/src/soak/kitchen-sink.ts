import type { RunStatus } from '@flotilla/contracts';
import { withEffects } from '../driver/steady-load.ts';
import { type MixedGraph, mixedGraph } from '../graphs/mixed-graphs.ts';
import { type Chance, chanceOf } from '../random.ts';

/** What a caller does with a run beside starting it. */
type Treatment =
  | 'nothing'
  /** Submitted twice at once with an idempotency key. */
  | 'by key, twice'
  /** Submitted twice at once with a run id. */
  | 'by id, twice'
  /** Cancelled soon after. */
  | 'cancelled'
  /** Its events are followed to the end. */
  | 'followed'
  /** Its events are followed, and the connection breaks. */
  | 'followed a little';

export interface SoakGraph extends MixedGraph {
  treatment: Treatment;
  tags: readonly string[];
  /** How it may end. */
  ends: readonly RunStatus[];
}

const TREATMENTS: readonly (readonly [Treatment, number])[] = [
  ['by key, twice', 0.1],
  ['by id, twice', 0.1],
  ['cancelled', 0.05],
  ['followed', 0.05],
  ['followed a little', 0.05],
];
const CHECKPOINT_SHARE = 0.15;
const FAILURE_SHARE = 0.05;
const TAGGED_SHARE = 0.2;
const TAGS = ['red', 'green', 'blue'] as const;
const SEED_STEP = 7919;

/**
 * As a deployment has so many workflows, and not another one for each run: every process remembers the plans of up to
 * thousands, and a cache that fills cannot be told from a leak.
 */
const DEFINITIONS = 100;

/**
 * Run number n of a seed: chains, fans, layers, maps, branches, retries and delays with effects outside, some with
 * checkpoints, some that fail as they should, some cancelled, followed or submitted twice. With `leakBytes` every run has a
 * step that makes its worker keep so much.
 */
export function kitchenSink(seed: number, index: number, leakBytes: number): SoakGraph {
  const graph = makeGraph(chanceOf(seed + (index % DEFINITIONS) * SEED_STEP), leakBytes);
  const chance = chanceOf(seed + (index + DEFINITIONS) * SEED_STEP);
  const treatment = treatmentOf(chance);
  const ends: RunStatus[] = ['breaks' in graph.definition.steps ? 'failed' : 'succeeded'];
  if (treatment === 'cancelled') ends.push('cancelled');
  return { ...graph, treatment, tags: chance.next() < TAGGED_SHARE ? [chance.pick(TAGS)] : [], ends };
}

function makeGraph(chance: Chance, leakBytes: number): MixedGraph {
  const graph = withEffects(mixedGraph(chance), chance);
  const { steps } = graph.definition;
  if (chance.next() < CHECKPOINT_SHARE) steps['saves'] = task('save-pages', { pages: chance.between(2, 4) });
  if (leakBytes > 0) steps['keeps'] = task('keep-bytes', { bytes: leakBytes });
  if (chance.next() < FAILURE_SHARE) {
    steps['breaks'] = { ...task('flotilla.fail', { times: 5 }), retry: { maxAttempts: 2, initialMs: 50 } };
  }
  return graph;
}

const task = (use: string, input: object) => ({ kind: 'task', use, input });

function treatmentOf(chance: Chance): Treatment {
  let left = chance.next();
  for (const [treatment, share] of TREATMENTS) {
    if (left < share) return treatment;
    left -= share;
  }
  return 'nothing';
}
