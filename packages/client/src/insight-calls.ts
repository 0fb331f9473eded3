import type { Report, RunComparison, RunLedger } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { type ErrorGroupCalls, errorGroupCalls } from './error-groups.ts';
import { runPath } from './paths.ts';
import type { Transport } from './transport.ts';

export interface InsightCalls extends ErrorGroupCalls {
  /** What the run's time was spent on, and which steps decided when it ended. RUN_NOT_FOUND. */
  ledger(runId: string, options?: CallOptions): Promise<RunLedger>;
  /** The first step in which two runs of a definition differ. RUN_NOT_FOUND. */
  compare(runId: string, otherRunId: string, options?: CallOptions): Promise<RunComparison>;
  /** Whether the fleet is healthy, and if not, what to do next. */
  report(options?: CallOptions): Promise<Report>;
}

export function insightCalls(transport: Transport): InsightCalls {
  return {
    ...errorGroupCalls(transport),
    ledger: (runId, call) => transport.get(`${runPath(runId)}/ledger`, call),
    compare: (runId, otherRunId, call) =>
      transport.get(`${runPath(runId)}/compare/${encodeURIComponent(otherRunId)}`, call),
    report: (call) => transport.get('/v1/report', call),
  };
}
