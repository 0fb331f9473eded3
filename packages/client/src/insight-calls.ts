import type { LogIndex, Report, RunComparison, RunLedger, RunUsage, StepLogs } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { type ErrorGroupCalls, errorGroupCalls } from './error-groups.ts';
import { queryText, runPath } from './paths.ts';
import type { Transport } from './transport.ts';

export interface StepLogOptions extends CallOptions {
  /** Default -1: from the oldest that is kept. */
  after?: number;
  /** Only of this attempt. */
  attempt?: number;
  /** 1 to 1000; default 500. */
  limit?: number;
}

export interface InsightCalls extends ErrorGroupCalls {
  /** What the run's time was spent on, and which steps decided when it ended. RUN_NOT_FOUND. */
  ledger(runId: string, options?: CallOptions): Promise<RunLedger>;
  /** What the run's attempts have used, and its budget. RUN_NOT_FOUND. */
  usage(runId: string, options?: CallOptions): Promise<RunUsage>;
  /** The first step in which two runs of a definition differ. RUN_NOT_FOUND. */
  compare(runId: string, otherRunId: string, options?: CallOptions): Promise<RunComparison>;
  /** Which steps of a run have logged something. RUN_NOT_FOUND. */
  logIndex(runId: string, options?: CallOptions): Promise<LogIndex>;
  /** Lines of a step with a `seq` above `after`. RUN_NOT_FOUND, STEP_NOT_FOUND. */
  stepLogs(runId: string, stepId: string, options?: StepLogOptions): Promise<StepLogs>;
  /** Whether the fleet is healthy, and if not, what to do next. */
  report(options?: CallOptions): Promise<Report>;
}

export function insightCalls(transport: Transport): InsightCalls {
  return {
    ...errorGroupCalls(transport),
    ledger: (runId, call) => transport.get(`${runPath(runId)}/ledger`, call),
    usage: (runId, call) => transport.get(`${runPath(runId)}/usage`, call),
    compare: (runId, otherRunId, call) =>
      transport.get(`${runPath(runId)}/compare/${encodeURIComponent(otherRunId)}`, call),
    logIndex: (runId, call) => transport.get(`${runPath(runId)}/logs`, call),
    stepLogs: (runId, stepId, { after, attempt, limit, ...call } = {}) => {
      const path = `${runPath(runId)}/steps/${encodeURIComponent(stepId)}/logs`;
      return transport.get(`${path}${queryText({ after, attempt, limit })}`, call);
    },
    report: (call) => transport.get('/v1/report', call),
  };
}
