import { FlotillaError, type Json, MAX_MAP_ITEMS } from '@flotilla/contracts';
import { firstIteration, neededSuccesses } from './decide-loop.ts';
import type { Expression, PlanMap, Scope } from './plan.ts';

/**
 * The items that a map or broadcast begins with; of a loop its first iteration. Errors: `EXPRESSION_FAILED`, `MAP_NOT_A_LIST`,
 * `MAP_TOO_LARGE`, `QUORUM_UNREACHABLE`; none is retried.
 */
export function resolveMapItems(map: PlanMap, scope: Scope): Json[] {
  if (map.mode === 'loop') return [firstIteration(map)];
  const items = map.over === undefined ? numbersBelow(map.count ?? 0) : evaluateList(map.over, scope);
  const needed = neededSuccesses(map, items.length);
  if (map.mode === 'broadcast' && needed > items.length) {
    const message = `a quorum of ${needed} cannot be reached by ${items.length}`;
    throw new FlotillaError('QUORUM_UNREACHABLE', message);
  }
  return items;
}

function numbersBelow(count: number): Json[] {
  return Array.from({ length: count }, (_, index) => index);
}

function evaluateList(over: Expression, scope: Scope): Json[] {
  const items = over.evaluate(scope);
  if (!Array.isArray(items)) {
    throw new FlotillaError('MAP_NOT_A_LIST', `${over.source} gives ${kindOf(items)}, not a list`);
  }
  if (items.length > MAX_MAP_ITEMS) {
    throw new FlotillaError(
      'MAP_TOO_LARGE',
      `${over.source} gives ${items.length} items; the limit is ${MAX_MAP_ITEMS}`,
    );
  }
  return items;
}

function kindOf(value: Exclude<Json, Json[]>): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
