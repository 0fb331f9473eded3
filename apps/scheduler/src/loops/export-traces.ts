import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { type Logger, parseTraceparent, type Tracing } from '@flotilla/telemetry';
import { NOTHING_TO_TELL, readTracedHistory } from '../insight/read-traced-history.ts';
import { Loop } from './loop.ts';

export interface ExportTracesDependencies {
  state: State<Plan>;
  tracing: Tracing;
  logger: Logger;
}

const INTERVAL_MS = 500;
/** Runs of one partition at a time. */
const SLICE = 100;
/** Two clocks of Redis servers, before and after a failover, are no further apart than this. */
const LAG_MS = 1000;
/** Whoever took runs has exported them by then, or is gone. */
const AGAIN_MS = 15_000;
const FLUSH_MS = 5000;
/** When nobody has exported anything for longer, what ended before is left out. */
const MAX_AGE_MS = 600_000;
/** A lost attempt takes longer than a lease. Histories of shorter runs, of which there are the most, are not read. */
const WORTH_READING_MS = 1000;

/**
 * Exports the spans of ended runs, and of the attempts that their workers could not: each run at least once, also when this
 * scheduler dies in between.
 */
export function createExportTracesLoop(dependencies: ExportTracesDependencies): Loop {
  const { state, logger } = dependencies;
  const turn = async () => {
    const counts = await Promise.all(state.tags.map((tag) => exportSlice(dependencies, tag)));
    return counts.some((count) => count >= SLICE) ? 0 : INTERVAL_MS;
  };
  return new Loop({ name: 'export-traces', turn, intervalMs: INTERVAL_MS, logger });
}

async function exportSlice(dependencies: ExportTracesDependencies, tag: string): Promise<number> {
  const { state, tracing } = dependencies;
  const options = { limit: SLICE, lagMs: LAG_MS, againInMs: AGAIN_MS, maxAgeMs: MAX_AGE_MS };
  const runIds = await state.transitions.takeUntraced(tag, options);
  if (runIds.length === 0) return 0;
  for (const runId of runIds) await record(dependencies, tag, runId);
  await tracing.flush(FLUSH_MS);
  await state.transitions.endTraces(tag, runIds);
  return runIds.length;
}

async function record({ state, tracing, logger }: ExportTracesDependencies, tag: string, runId: string): Promise<void> {
  const end = await state.run(runId, tag).readEnd();
  // It was pruned or opened again meanwhile; opened again, it ends again.
  if (end === undefined) return;
  const { workflow, traceparent = '', endedAt, opening } = end;
  const run = { runId, workflow, parent: parseTraceparent(traceparent) };
  const history =
    opening === 1 && endedAt - end.createdAt < WORTH_READING_MS
      ? NOTHING_TO_TELL
      : await readTracedHistory(state, runId).catch((error: unknown) => {
          // A damaged run has a span all the same.
          if (!isFlotillaError(error) || error.code === 'REDIS_UNAVAILABLE') throw error;
          logger.warn({ runId, code: error.code }, 'could not read the history of a run for its trace');
          return NOTHING_TO_TELL;
        });
  const { events, untold, openedAt = end.createdAt } = history;
  tracing.recordRun(run, { ...end, createdAt: openedAt, events });
  for (const attempt of untold) {
    const { outcome } = attempt;
    tracing.beginAttempt({ ...attempt, run }).endAsSeen({ outcome, endedAt: attempt.endedAt });
  }
}
