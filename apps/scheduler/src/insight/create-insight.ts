import type { InsightApi } from '../http/insight/insight-api.ts';
import { readLedger } from './read-ledger.ts';
import { type ReportSources, readReport } from './read-report.ts';
import { readUsage } from './read-usage.ts';

/** What the HTTP edge asks about the fleet as a whole, and about runs beyond their state. */
export function createInsight(sources: ReportSources): InsightApi {
  const { state } = sources;
  return {
    countRuns: (labels) => state.countRuns(labels),
    findRuns: (id) => state.findRuns(id),
    listErrorGroups: (query) => state.listErrorGroups(query),
    decideErrorGroup: (fingerprint, action) => state.decideErrorGroup(fingerprint, action),
    compareRuns: (runId, otherRunId) => state.compareRuns(runId, otherRunId),
    readLedger: (runId) => readLedger(state, runId),
    readUsage: (runId) => readUsage(state, runId),
    readReport: () => readReport(sources),
    readLogIndex: (runId) => state.readLogIndex(runId),
    readStepLogs: (runId, stepId, page) => state.readStepLogs(runId, stepId, page),
    now: () => state.now(),
    readChanges: (query) => state.readChanges(query),
  };
}
