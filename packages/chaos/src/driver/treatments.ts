import type { Recording } from '@flotilla/checker';
import { type MixedGraph, withCancellation, withProgress } from '../graphs/mixed-graphs.ts';
import type { Chance } from '../random.ts';

/** What a caller does with a run beside starting it. */
export interface TreatedGraph {
  graph: MixedGraph;
  /** Submitted by this key, and at once again when that was answered. */
  idempotencyKey?: string;
  /** Cancelled so long after it was accepted. */
  cancelAfterMs?: number;
}

const BY_KEY = { every: 10, from: 5 };
const SAVES_PROGRESS = { every: 10, from: 7 };
const CANCELLED = { every: 20, from: 3 };
/** About as long as the runs last: some have ended by then. */
const LONGEST_UNTIL_CANCEL_MS = 1500;

/**
 * Run number n of a load, which is always treated in the same way: one in ten is submitted twice by an idempotency key, one in
 * ten has a step that saves its progress over two attempts, one in twenty is cancelled and has a step to undo.
 */
export function treat(index: number, prefix: string, graph: MixedGraph, chance: Chance): TreatedGraph {
  const is = ({ every, from }: { every: number; from: number }) => index % every === from;
  if (is(BY_KEY)) return { graph, idempotencyKey: `${prefix}-key-${index}` };
  if (is(SAVES_PROGRESS)) return { graph: withProgress(graph, chance) };
  if (!is(CANCELLED)) return { graph };
  return { graph: withCancellation(graph), cancelAfterMs: chance.between(0, LONGEST_UNTIL_CANCEL_MS) };
}

/** How much there was for the rules to be broken by: where one of these is 0 they have judged nothing. */
export interface Treated {
  /** Keys by which something was submitted, and answered, twice or more. */
  keysAgain: number;
  /** Attempts that found progress of an earlier one. */
  progressFound: number;
  cancelled: number;
  compensations: number;
}

export function countTreated({ calls, effects, runs }: Recording): Treated {
  const keys = calls.flatMap((call) => {
    return call.kind === 'start' && call.answer !== undefined ? (call.request.idempotencyKey ?? []) : [];
  });
  return {
    keysAgain: [...Map.groupBy(keys, (key) => key).values()].filter(({ length }) => length > 1).length,
    progressFound: effects.filter((report) => report.kind === 'loaded' && report.number > 0).length,
    cancelled: runs.filter(({ run }) => run.status === 'cancelled').length,
    compensations: runs.flatMap(({ events }) => events.filter(({ type }) => type === 'cleanup-succeeded')).length,
  };
}
