import { FlotillaError, type Json, MAX_DURATION_MS, parseMoment } from '@flotilla/contracts';
import type { PlanDelay, Scope } from './plan.ts';

/** How long a delay lasts, in milliseconds from `nowMs`; what has passed is 0. Throws EXPRESSION_FAILED. */
export function resolveDelay({ by, value }: PlanDelay, scope: Scope, nowMs: number): number {
  const resolved = value.resolve(scope);
  const problem = problemOfDelay(by, resolved);
  if (problem !== undefined) throw new FlotillaError('EXPRESSION_FAILED', problem);
  const forMs = by === 'for' ? (resolved as number) : (momentOf(resolved) as number) - nowMs;
  if (forMs > MAX_DURATION_MS) throw new FlotillaError('EXPRESSION_FAILED', 'the delay would be longer than a year');
  return Math.max(0, Math.ceil(forMs));
}

/** What is wrong with the value of a delay; undefined when nothing is. */
export function problemOfDelay(by: PlanDelay['by'], value: Json): string | undefined {
  if (by === 'until') {
    if (momentOf(value) !== undefined) return undefined;
    return 'until must be a moment such as 2027-01-31T09:00:00Z, or milliseconds since 1970';
  }
  if (typeof value === 'number' && value >= 0 && value <= MAX_DURATION_MS) return undefined;
  return `forMs must be milliseconds from 0 to ${MAX_DURATION_MS}`;
}

function momentOf(value: Json): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  return typeof value === 'string' ? parseMoment(value) : undefined;
}
