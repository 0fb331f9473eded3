import { decodeJoinCounter } from './join-counter.ts';
import type { Plan, PlanGroup } from './plan.ts';
import { type SettledOutcome, settleEdges } from './settle-edges.ts';

/**
 * How a step stands in a run that has ended. `open`: it never settled, or was cancelled. A branch that succeeded is
 * `{ chosen }`, as in `SettledOutcome`.
 */
export type EndedStep = SettledOutcome | 'open';

/** What a retry makes anew beside what follows from it. */
export interface RetrySelection {
  /** Only these of the failed steps, as indexes; the others stay failed. Undefined: all that failed. */
  only?: ReadonlySet<number> | undefined;
  /** A step that is made anew with all that depends on it, even if it succeeded. */
  from?: number | undefined;
  /** Steps that have been undone when the run ended: what they did must be done again. */
  undone?: ReadonlySet<number> | undefined;
}

/** What is to become of an ended run that goes on. */
export interface RetryPlan {
  /** Steps that are made anew, ascending. */
  reset: readonly number[];
  /** Of those, the ones of which no need is made anew: what they had begun still fits. */
  sameInput: ReadonlySet<number>;
  /** Failed steps that stay so, ascending. */
  keptFailures: readonly number[];
  /** Groups that a step in `reset` leads to, with their counters; undefined: as at the start. */
  counters: ReadonlyMap<number, number | undefined>;
  /** End steps among `reset`. */
  endPending: number;
}

/**
 * Which steps of an ended run are made anew when it is retried: those that failed, what never settled, and everything that
 * depends on either. A failure that was tolerated is finished work, unless it is named. Finished work that depends on
 * neither is kept. A step with join `any` that another need has made ready
 * depends on that one. Linear in steps and edges.
 */
export function planRetry(plan: Plan, endOf: (step: number) => EndedStep, selection: RetrySelection = {}): RetryPlan {
  const counters = plan.groups.map(({ needs }) => needs);
  const isReset = new Uint8Array(plan.steps.length);
  const reset: number[] = [];
  const sameInput = new Set<number>();
  const keptFailures: number[] = [];
  const touched = new Set<number>();
  let endPending = 0;
  // Steps are numbered by depth: the needs of a step stand before it.
  for (const step of plan.steps) {
    const { index, needs, group, edges } = step;
    const end = endOf(index);
    const { join } = plan.groups[group]!;
    const needsAnew = needs.some((need) => isReset[need] === 1);
    const madeReadyByKept = join === 'any' && decodeJoinCounter(counters[group]!).succeeded > 0;
    const isRoot =
      end === 'open' ||
      index === selection.from ||
      selection.undone?.has(index) ||
      (end === 'failed' && (selection.only?.has(index) ?? !step.tolerated));
    if (isRoot || (needsAnew && !madeReadyByKept)) {
      isReset[index] = 1;
      reset.push(index);
      if (!needsAnew) sameInput.add(index);
      if (step.endStep) endPending += 1;
      for (const edge of edges) touched.add(edge.group);
      continue;
    }
    if (end === 'failed' && !step.tolerated) keptFailures.push(index);
    for (const { group: fed, delta } of settleEdges(plan, index, end as SettledOutcome)) counters[fed]! += delta;
  }
  const changed = new Map<number, number | undefined>();
  for (const group of touched) {
    const { needs } = plan.groups[group]!;
    changed.set(group, counters[group] === needs ? undefined : counters[group]!);
  }
  return { reset, sameInput, keptFailures, counters: changed, endPending };
}

/** Whether the members of a group may be decided on, by its counter as stored; undefined: as at the start. */
export function hasFired({ join, needs }: PlanGroup, counter: number | undefined): boolean {
  if (needs === 0) return true;
  if (counter === undefined) return false;
  const { pending, succeeded } = decodeJoinCounter(counter);
  return pending === 0 || (join === 'any' && succeeded > 0);
}
