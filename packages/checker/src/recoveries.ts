import { type HistoryEvent, isTerminalRunStatus } from '@flotilla/contracts';
import type { RunRecord } from '@flotilla/local-fleet';
import { ATTEMPT_ENDS } from './run-facts.ts';

/** An attempt whose worker died, and how long its step waited for the next. */
export interface Recovery {
  stepId: string;
  worker: string;
  /** From the death to `attempt-lost`. */
  lostAfterMs: number;
  /** From the death to the next `attempt-started`; Infinity when there was none. */
  waitedMs: number;
}

/**
 * Attempts that workers left behind when they died. `diedAt`: worker id -> wall clock, which must be Redis' own (one
 * machine). Attempts of runs that ended without them are left out.
 */
export function findRecoveries({ run, events }: RunRecord, diedAt: ReadonlyMap<string, number>): Recovery[] {
  const found: Recovery[] = [];
  const open = new Map<string, { worker: string; lostAt: number }>();
  const add = (stepId: string, startedAt: number): void => {
    const attempt = open.get(stepId);
    const died = diedAt.get(attempt?.worker ?? '');
    if (attempt === undefined || died === undefined) return;
    const { worker, lostAt } = attempt;
    found.push({ stepId, worker, lostAfterMs: lostAt - died, waitedMs: startedAt - died });
  };
  for (const { type, stepId, worker, at } of events) {
    if (stepId === undefined) continue;
    const attempt = open.get(stepId);
    if (type === 'attempt-started') {
      add(stepId, at);
      open.set(stepId, { worker: worker ?? '', lostAt: Number.POSITIVE_INFINITY });
    } else if (type === 'attempt-lost') {
      if (attempt !== undefined) attempt.lostAt = at;
    } else if (ATTEMPT_ENDS.has(type)) {
      open.delete(stepId);
    }
  }
  if (isTerminalRunStatus(run.status)) return found;
  for (const stepId of open.keys()) add(stepId, Number.POSITIVE_INFINITY);
  return found;
}

/** Attempts whose result came too late and was refused. */
export function rejectedAttempts({ events }: RunRecord): readonly HistoryEvent[] {
  return events.filter(({ type }) => type === 'attempt-rejected');
}
