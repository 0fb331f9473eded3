import { FlotillaError, type Json, MAX_MAP_ITEMS } from '@flotilla/contracts';
import type { PlanMap, Scope } from './plan.ts';

/** The items of a map step. Errors: `EXPRESSION_FAILED`, `MAP_NOT_A_LIST`, `MAP_TOO_LARGE`; none is retried. */
export function resolveMapItems(map: PlanMap, scope: Scope): Json[] {
  const items = map.over.evaluate(scope);
  if (!Array.isArray(items)) {
    throw new FlotillaError('MAP_NOT_A_LIST', `${map.over.source} gives ${kindOf(items)}, not a list`);
  }
  if (items.length > MAX_MAP_ITEMS) {
    throw new FlotillaError(
      'MAP_TOO_LARGE',
      `${map.over.source} gives ${items.length} items; the limit is ${MAX_MAP_ITEMS}`,
    );
  }
  return items;
}

function kindOf(value: Exclude<Json, Json[]>): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
