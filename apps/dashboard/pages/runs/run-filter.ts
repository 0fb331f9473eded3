import type { Query } from '../api/call-api.ts';

/** What the address says of the list: each a text, absent when not filtered by. */
export interface RunFilter {
  status?: string | undefined;
  workflow?: string | undefined;
  tag?: string | undefined;
  /** `breaker` or `breaker:payments`. */
  waiting?: string | undefined;
  error?: string | undefined;
  /** Of a run, an attempt, a trace, or an idempotency key. */
  id?: string | undefined;
  /** `1h`, `24h`, `7d` back from now, or milliseconds since 1970. */
  from?: string | undefined;
  to?: string | undefined;
}

const SPAN = /^(\d{1,4})(m|h|d)$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** How coarsely "since an hour ago" moves: a finer one would be another query with every render. */
const STEP_MS = 60_000;

export function toQuery({ from, to, ...rest }: RunFilter, now = Date.now()): Query {
  return { ...rest, from: moment(from, now), to: moment(to, now) };
}

function moment(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit] = SPAN.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  return Math.floor((now - Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]) / STEP_MS) * STEP_MS;
}

export function isEmptyFilter(filter: RunFilter): boolean {
  return Object.values(filter).every((value) => value === undefined || value === '');
}

/** The filter without some of its parts. */
export function without(filter: RunFilter, ...names: readonly (keyof RunFilter)[]): RunFilter {
  return Object.fromEntries(Object.entries(filter).filter(([name]) => !names.includes(name as keyof RunFilter)));
}
