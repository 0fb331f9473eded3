import type { Json } from '@flotilla/contracts';
import { decideTurn, firstTurn, type TurnEnd } from './decide-turn.ts';
import { evaluateCondition } from './evaluate-expression.ts';
import type { PlanMap, Scope } from './plan.ts';

/** Why a loop, a handoff or a conversation ended. */
export type LoopEnd = 'condition' | 'limit' | 'budget' | TurnEnd;

/** An iteration that has succeeded: its number from 0, what its expressions saw, and its output. */
export interface EndedIteration {
  index: number;
  item: Json;
  output: Json;
}

/** What the expressions of the first iteration see: of a loop its number, and the output of the one before it. */
export function firstIteration({ turns }: PlanMap): Json {
  return turns === undefined ? { index: 0, output: null } : firstTurn(turns);
}

/**
 * What follows an iteration that has succeeded: the next one, or the end. The condition comes before the limit. Errors:
 * EXPRESSION_FAILED, TURN_REFUSED.
 */
export function decideLoop(map: PlanMap, scope: Scope, ended: EndedIteration): { next: Json } | { end: LoopEnd } {
  if (map.turns !== undefined) return decideTurn(map, scope, ended);
  const { index, output } = ended;
  const value = { index, output };
  const iteration = { ...scope, item: { name: map.as, value, index } };
  if (map.until !== undefined && evaluateCondition(map.until, iteration)) return { end: 'condition' };
  if (index + 1 >= map.maxIterations) return { end: 'limit' };
  return { next: { index: index + 1, output } };
}

/** What stays of a broadcast's items: so many may fail. A map says itself how many it tolerates. */
export function toleratedFailures(map: PlanMap, items: number): number {
  return map.mode === 'broadcast' ? items - neededSuccesses(map, items) : map.toleratedFailures;
}

/** How many of so many items must succeed for a broadcast to be decided. */
export function neededSuccesses({ decide }: Pick<PlanMap, 'decide'>, items: number): number {
  if (decide === 'all') return items;
  return decide === 'any' ? 1 : decide.quorum;
}
