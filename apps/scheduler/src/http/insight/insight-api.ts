import type {
  ErrorGroup,
  ErrorGroupAction,
  ErrorGroupList,
  ErrorGroupState,
  LogIndex,
  Report,
  RunComparison,
  RunCounts,
  RunLedger,
  RunsFrame,
  RunUsage,
  RunView,
  StepLogs,
} from '@flotilla/contracts';
import type { Page } from '../run-api.ts';

interface RunLabels {
  workflow?: string | undefined;
  tag?: string | undefined;
  /** Created then, both included. */
  from?: number | undefined;
  to?: number | undefined;
}

interface LogPage {
  after: number;
  limit: number;
  attempt?: number | undefined;
}

/** What the HTTP edge needs for looking at the fleet as a whole, and into runs, beyond their state. */
export interface InsightReads {
  countRuns(labels: RunLabels): Promise<RunCounts>;
  /** The runs that this is the id, an attempt's id or the idempotency key of. */
  findRuns(id: string): Promise<RunView[]>;
  /** RUN_NOT_FOUND. */
  readLedger(runId: string): Promise<RunLedger>;
  /** RUN_NOT_FOUND. */
  readUsage(runId: string): Promise<RunUsage>;
  /** RUN_NOT_FOUND. */
  compareRuns(runId: string, otherRunId: string): Promise<RunComparison>;
  readReport(): Promise<Report>;
  /** RUN_NOT_FOUND. */
  readLogIndex(runId: string): Promise<LogIndex>;
  /** RUN_NOT_FOUND, STEP_NOT_FOUND. */
  readStepLogs(runId: string, stepId: string, page: LogPage): Promise<StepLogs>;
  /** Redis' clock in ms. */
  now(): Promise<number>;
  /** Runs that changed at or after `since` and before `until`, each once as it is now. */
  readChanges(query: { since: number; until: number; limit: number }): Promise<RunsFrame>;
  listErrorGroups(query: Page & { state?: ErrorGroupState | undefined }): Promise<ErrorGroupList>;
}

export interface InsightWrites {
  /** ERROR_GROUP_NOT_FOUND. */
  decideErrorGroup(fingerprint: string, action: ErrorGroupAction): Promise<ErrorGroup>;
}

export interface InsightApi extends InsightReads, InsightWrites {}

export const INSIGHT_READS = [
  'countRuns',
  'findRuns',
  'listErrorGroups',
  'readLedger',
  'readUsage',
  'compareRuns',
  'readReport',
  'readLogIndex',
  'readStepLogs',
  'now',
  'readChanges',
] as const satisfies (keyof InsightReads)[];
export const INSIGHT_WRITES = ['decideErrorGroup'] as const satisfies (keyof InsightWrites)[];
