import { JOIN } from '../format.ts';
import type { StepKey } from '../plan-shape.ts';

/** What says whether a step may begin: the group that it is in. */
export interface StepGroup {
  group: number;
  /** Join `any`. */
  any: boolean;
  /** What its counter starts with. */
  initial: number;
}

/** An edge out of the step that settles, and with whom to go on when it is what its group waited for. */
export interface EdgeArgument {
  group: number;
  /** What settling adds to the group's counter. */
  delta: number;
  /** The counter's start value: the number of edges into the group. */
  initial: number;
  /** True for join `any`: it fires at the first success. */
  any: boolean;
  /** A lone member that this worker may go on with. */
  next?: { key: StepKey; attemptMs: number } | undefined;
}

export function joinLetter({ any }: StepGroup): string {
  return any ? JOIN.any : JOIN.all;
}

/** Texts of edges that callers keep: those of a plan are asked for with every step. */
const edgeTexts = new WeakMap<readonly EdgeArgument[], string>();

export function edgeText(edges: readonly EdgeArgument[]): string {
  let text = edgeTexts.get(edges);
  if (text === undefined) {
    text = edges
      .map(({ group, delta, initial, any, next }) =>
        [group, delta, initial, any ? JOIN.any : JOIN.all, next?.key ?? '', next?.attemptMs ?? ''].join('|'),
      )
      .join(';');
    edgeTexts.set(edges, text);
  }
  return text;
}
