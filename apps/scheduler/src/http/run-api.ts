import type {
  AgentEvent,
  AgentView,
  CheckpointView,
  CleanupView,
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterView,
  Durability,
  FailedCleanups,
  FlotillaError,
  HistoryEvent,
  Problem,
  RetryPlan,
  RunStatus,
  RunView,
  StepView,
  Why,
  WorkflowView,
} from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';

/**
 * What the HTTP edge needs from state. packages/state fits it by shape; a test may stand in for it. Every method may
 * throw a FlotillaError, which becomes the answer as it is.
 */
export interface StateApi {
  /** IDEMPOTENCY_CONFLICT, RUN_PRUNED, STORAGE_FULL, REDIS_UNAVAILABLE (ambiguous), DURABILITY_UNAVAILABLE, DURABILITY_UNSUPPORTED. */
  createRun(request: CreateRun): Promise<CreatedRun>;
  /** Many runs with one script call per partition; the answers stand in the order of the requests. */
  createRuns(requests: CreateRun[]): Promise<(CreatedRun | FlotillaError)[]>;
  /** RUN_NOT_FOUND. */
  cancelRun(runId: string, reason?: string): Promise<CancelledRun>;
  pauseRun(runId: string): Promise<{ status: RunStatus }>;
  resumeRun(runId: string): Promise<{ status: RunStatus }>;

  /** RUN_NOT_FOUND, RUN_STILL_ACTIVE, STEP_NOT_FOUND, NOTHING_TO_RETRY. */
  retryRun(runId: string, request: RetryRequest): Promise<RetriedRun>;

  /** Steps that failed for good, of runs that ended failed or timed out. */
  listDeadLetters(query: DeadLetterQuery): Promise<{ deadLetters: DeadLetterView[]; cursor?: string }>;
  /** RUN_NOT_FOUND, STEP_NOT_FOUND, DEAD_LETTER_NOT_FOUND. */
  readDeadLetter(runId: string, stepId: string): Promise<DeadLetterDetail>;
  /** Dead letters of one run, as one retry. The same errors, and RUN_STILL_ACTIVE. */
  redriveDeadLetters(runId: string, stepIds: readonly string[], opening?: number): Promise<RedrivenRun>;
  /** Whether each was on the list. The same errors. */
  discardDeadLetters(runId: string, stepIds: readonly string[], opening?: number): Promise<boolean[]>;

  /** With output or error once the run has ended. */
  readRun(runId: string): Promise<RunView | undefined>;
  /** Newest first. */
  listRuns(query: RunQuery): Promise<{ runs: RunView[]; cursor?: string }>;
  /** RUN_NOT_FOUND. */
  listSteps(runId: string, page: Page): Promise<{ steps: StepView[]; cursor?: string }>;
  /** Events with `seq > after`; -1 reads from the start. `next` is the `after` of the following page. RUN_NOT_FOUND. */
  readHistory(runId: string, page: { after: number; limit: number }): Promise<{ events: HistoryEvent[]; next: number }>;
  /** Compensations and registered cleanups in the order of registration. RUN_NOT_FOUND. */
  listCleanups(runId: string, page: Page): Promise<{ cleanups: CleanupView[]; cursor?: string }>;
  /** Ended runs of which cleanups have failed for good, the newest first. */
  listFailedCleanups(page: Page): Promise<{ runs: FailedCleanups[]; cursor?: string }>;
  /** True when it was already being retried. RUN_NOT_FOUND, RUN_STILL_ACTIVE, CLEANUP_NOT_FOUND, NOTHING_TO_RETRY. */
  retryCleanup(runId: string, number: number): Promise<boolean>;
  listCheckpoints(runId: string, page: Page): Promise<{ checkpoints: CheckpointView[]; cursor?: string }>;

  /** WORKFLOW_VERSION_CONFLICT: this name and version exist with another content. */
  registerWorkflow(plan: Plan): Promise<{ view: WorkflowView; created: boolean }>;
  /** With the definition; without a version the one registered last. */
  readWorkflow(name: string, version?: string): Promise<WorkflowView | undefined>;
  deleteWorkflow(name: string, version?: string): Promise<number>;
  listWorkflows(page: Page): Promise<{ workflows: WorkflowView[]; cursor?: string }>;

  /** A hint that a run's history has moved. It may be lost: poll as well. Gives the function that stops watching. */
  watchRuns(listener: (runId: string) => void): () => void;
  health(): Promise<{ ok: boolean; problems: Problem[]; latencyMs: number }>;
}

/** What the HTTP edge needs to know of agents. */
export interface AgentApi {
  /** Living and lately lost. */
  listAgents(): Promise<AgentView[]>;
  /** Newest first. */
  listAgentEvents(limit: number): Promise<AgentEvent[]>;
}

/** What the HTTP edge has worked out about runs. */
export interface WhyApi {
  /** RUN_NOT_FOUND, STEP_NOT_FOUND. */
  explainRun(runId: string, query: { stepId?: string | undefined; limit: number }): Promise<Why>;
  /** What `retryRun` would do now; the same errors. */
  planRetry(runId: string, request: RetryRequest): Promise<PlannedRetry>;
}

export interface RunApi extends StateApi, AgentApi, WhyApi {}

export interface CreateRun {
  plan: Plan;
  /** Canonical JSON. */
  inputJson: string;
  runId?: string;
  idempotencyKey?: string;
  /** Hex SHA-256 of what makes two submissions the same: definition, input, tags. */
  bodyHash: string;
  tags: string[];
  durability: Durability;
  idempotencyTtlMs?: number;
  /** Of the caller's trace; no part of what makes two submissions the same. */
  traceparent?: string | undefined;
}

export interface CreatedRun {
  runId: string;
  status: RunStatus;
  deduplicated: boolean;
  durability: Durability;
}

export interface RetryRequest {
  from?: string | undefined;
  steps?: readonly string[] | undefined;
  opening?: number | undefined;
}

export interface PlannedRetry extends RetriedRun {
  /** Absent where the run had been opened again before. */
  plan?: RetryPlan;
}

interface RetriedRun {
  status: RunStatus;
  opening: number;
  alreadyRetried: boolean;
}

interface RedrivenRun {
  status: RunStatus;
  opening: number;
  alreadyRedriven: boolean;
  /** By step: whether it is made anew. */
  redriven: readonly boolean[];
}

interface DeadLetterQuery extends DeadLetterFilter {
  cursor?: string | undefined;
  limit: number;
  order?: 'newest' | 'oldest';
  wholeRuns?: boolean;
}

export interface CancelledRun {
  status: RunStatus;
  /** How the run ends, or has ended. */
  outcome: RunStatus;
  /** When the cancellation that took effect came, on Redis' clock; now, when none did. */
  requestedAt: number;
  /** Seq of its event; absent when none took effect: the run had ended, or its end had been decided, before. */
  requestSeq?: number;
}

export interface Page {
  cursor?: string;
  limit: number;
}

export interface RunQuery extends Page {
  workflow?: string | undefined;
  status?: RunStatus | undefined;
  tag?: string | undefined;
  /** `REASON` or `REASON:SUBJECT`. */
  waiting?: string | undefined;
  /** Fingerprint of a group of errors. */
  error?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
}

/**
 * The engine's compiler, in pieces: a definition or a legacy document in, a plan or all problems out. Memoised by content,
 * unless it is not to be remembered.
 */
export type CompileWorkflow = (
  document: unknown,
  options?: { maxDepth?: number; remember?: boolean },
) => Generator<
  void,
  { ok: true; plan: Plan; warnings: readonly Problem[] } | { ok: false; problems: readonly Problem[] }
>;
