import { createHash } from 'node:crypto';
import type {
  ApprovalView,
  CheckpointView,
  CleanupView,
  DeadLetterDetail,
  DeadLetterView,
  DecideApproval,
  ErrorGroup,
  ErrorGroupAction,
  FailedCleanups,
  HistoryEvent,
  Json,
  LogIndex,
  Problem,
  RunComparison,
  RunCounts,
  RunStatus,
  RunView,
  SignalSent,
  StepLogs,
  StepView,
  WorkflowView,
} from '@flotilla/contracts';
import { FlotillaError } from '@flotilla/contracts';
import { keepSubscribed, type RedisClient, retryTransient } from '@flotilla/redis';
import { LRUCache } from 'lru-cache';
import { type CheckpointSeal, createCheckpointSeal } from './checkpoint-seal.ts';
import { compareRuns } from './compare-runs.ts';
import { countRuns } from './count-runs.ts';
import { countSettled } from './count-settled.ts';
import { type CreatedRun, type CreateRun, createRun } from './create-runs.ts';
import { createDurableClient, type RunClient } from './durability.ts';
import { findRuns } from './find-runs.ts';
import { FIELD, RUN } from './format.ts';
import { hasNoPlan } from './has-no-plan.ts';
import { CHANNELS, deploymentKeys, stateKey } from './keys.ts';
import { type DeadLetterQuery, listDeadLetters } from './list-dead-letters.ts';
import { decideErrorGroup, type ErrorGroupQuery, listErrorGroups } from './list-error-groups.ts';
import { countFailedCleanups, listFailedCleanups } from './list-failed-cleanups.ts';
import { listRuns, type RunQuery, readListedRun } from './list-runs.ts';
import { Outbox, type OutboxOptions } from './outbox.ts';
import { ParkedBehind } from './parked-behind.ts';
import { type CompilePlan, keyOfStep, type PlanShape, parseStepKey, type StepKey, stepIdOf } from './plan-shape.ts';
import { listAttempts } from './read-attempts.ts';
import { type Backlog, readBacklog } from './read-backlog.ts';
import { type ChangeQuery, type Changes, readChanges } from './read-changes.ts';
import { listCheckpoints } from './read-checkpoints.ts';
import { listCleanups, parseStoredCleanup, type StoredCleanup } from './read-cleanups.ts';
import { readDeadLetter } from './read-dead-letter.ts';
import { readHistory } from './read-history.ts';
import { type Lag, readLag } from './read-lag.ts';
import { type Loss, readLosses } from './read-losses.ts';
import { readRateLimited } from './read-rate-limited.ts';
import { allTags, readRun, tagOfRun } from './read-runs.ts';
import { listSteps } from './read-steps.ts';
import { readWaits, type Waits } from './read-waits.ts';
import { readRedisTime } from './redis-time.ts';
import { discardDeadLetters, type RedrivenRun, redriveDeadLetters } from './redrive.ts';
import { type ReportedProgress, reportProgress } from './reported-progress.ts';
import { retryCleanup } from './retry-cleanup.ts';
import { previewRetry, type RetriedRun, type RetryPreview, type RetryRequest, retryRun } from './retry-run.ts';
import { cleanupField, headerField } from './run-fields.ts';
import { RunHandle } from './run-handle.ts';
import { parseRunMeta, runStatusOf } from './run-record.ts';
import { SourceReading } from './source-reading.ts';
import { parseStepHeader } from './step-header.ts';
import { appendLogs, type LogChunk, readLogIndex, readStepLogs } from './step-logs.ts';
import { TransitionBatch } from './transition-batch.ts';
import type { AttemptAddress, StepAddress } from './transitions/addresses.ts';
import { createTransitions, type Transitions } from './transitions.ts';
import { TrialMarks } from './trial-marks.ts';
import { decideApproval } from './waits/answer-approval.ts';
import { answerWebhook } from './waits/answer-webhook.ts';
import { type ApprovalReads, findApproval, listApprovals, readApproval } from './waits/approvals.ts';
import { type LoopPosition, readLoopPosition } from './waits/read-loop.ts';
import { listOpenWaits, type OpenWait, readParent, readWait } from './waits/read-wait.ts';
import { type SendSignal, sendSignal } from './waits/send-signal.ts';
import { wakeParked } from './wake-parked.ts';
import { deleteWorkflow, listWorkflows, readWorkflow, registerWorkflow } from './workflow-registry.ts';

export interface StateOptions<P extends PlanShape> {
  client: RedisClient;
  namespace: string;
  /** Fixed when the deployment is created; the start-up guard checks it. */
  partitions: number;
  /** Turns stored definition text into a plan. */
  compile: CompilePlan<P>;
  leaseDurationMs?: number;
  /** How long a finished piece of work is tried to be committed through a Redis outage. Default 120000. */
  progressDeadlineMs?: number;
  /** How long a submission is tried. Default 4000. */
  admissionDeadlineMs?: number;
  /** Default 8 days. */
  idempotencyTtlMs?: number;
  /** Keys that checkpoints are signed with; the first signs, all verify. Default: none, checksums alone. */
  checkpointKeys?: readonly string[];
  /** Connection for submissions that wait for replicas or disks; default: `client`. */
  durableClient?: RedisClient;
}

/** Plans that are remembered, together. */
const MAX_PLAN_BYTES = 67_108_864;
const UNKNOWN_PLAN_BYTES = 10_000;
const READ_DEADLINE_MS = 30_000;
/** What did not compile is not tried again for so long: its steps come by again and again. */
const NOT_UNDERSTOOD_MS = 1000;

/** Run state as the apps see it: the only way to write it, and typed ways to read it. */
export class State<P extends PlanShape> {
  readonly namespace: string;
  readonly partitions: number;
  readonly tags: readonly string[];
  readonly transitions: Transitions;
  readonly seal: CheckpointSeal;
  readonly #client: RedisClient;
  readonly #admission: TransitionBatch;
  readonly #durable: RunClient;
  readonly #options: StateOptions<P>;
  readonly #watchers = new Set<(runId: string) => void>();
  readonly #plans = new LRUCache<string, P>({
    maxSize: MAX_PLAN_BYTES,
    // One that is larger than all of it is still remembered, alone.
    sizeCalculation: ({ memoryBytes = UNKNOWN_PLAN_BYTES }) => Math.min(MAX_PLAN_BYTES, memoryBytes),
  });
  /** Plans that are being read: many steps of a run ask for the same one at once. */
  readonly #reading = new Map<string, Promise<P>>();
  readonly #notUnderstood = new LRUCache<string, FlotillaError>({ max: 500, ttl: NOT_UNDERSTOOD_MS });

  constructor(options: StateOptions<P>) {
    const { client, namespace, partitions, leaseDurationMs } = options;
    this.#options = options;
    this.#client = client;
    this.namespace = namespace;
    this.seal = createCheckpointSeal(options.checkpointKeys);
    this.partitions = partitions;
    this.tags = allTags(namespace, partitions);
    const lease = leaseDurationMs === undefined ? {} : { leaseDurationMs };
    const progressDeadlineMs = options.progressDeadlineMs ?? 120_000;
    this.transitions = createTransitions(
      new TransitionBatch({ client, namespace, kind: 'progress', deadlineMs: progressDeadlineMs, ...lease }),
    );
    this.#admission = new TransitionBatch({
      client,
      namespace,
      kind: 'admission',
      deadlineMs: options.admissionDeadlineMs ?? 4000,
      ...lease,
    });
    this.#durable = createDurableClient({
      client,
      waitingClient: options.durableClient,
      markerKey: `{${namespace}}:durability-marker`,
    });
  }

  tagOf(runId: string): string {
    return tagOfRun(this, runId);
  }

  /** A run in hand. `tag`: its partition's, if it is known. */
  run(runId: string, tag: string = this.tagOf(runId)): RunHandle {
    return new RunHandle({ ...this.#reads(), transitions: this.transitions }, tag, runId);
  }

  async createRun(request: CreateRun): Promise<CreatedRun> {
    return createRun(
      {
        batch: this.#admission,
        namespace: this.namespace,
        partitions: this.partitions,
        idempotencyTtlMs: this.#options.idempotencyTtlMs ?? 691_200_000,
        durable: this.#durable,
      },
      request,
    );
  }

  /** Each for itself; they share script calls because they are asked for together. */
  async createRuns(requests: readonly CreateRun[]): Promise<(CreatedRun | FlotillaError)[]> {
    return Promise.all(
      requests.map((request) =>
        this.createRun(request).catch((error: unknown) => {
          if (error instanceof FlotillaError) return error;
          throw error;
        }),
      ),
    );
  }

  async cancelRun(
    runId: string,
    reason?: string,
  ): Promise<{ status: RunStatus; outcome: RunStatus; requestedAt: number; requestSeq?: number }> {
    const error = { type: 'cancelled', code: 'CANCELLED', message: reason ?? 'cancelled by request' };
    const reply = await this.transitions.cancelRun(this.tagOf(runId), runId, JSON.stringify(error));
    const { status, outcome, requestedAt, requestSeq } = reply;
    const told = { status: runStatusOf(status), outcome: runStatusOf(outcome), requestedAt };
    return requestSeq === undefined ? told : { ...told, requestSeq };
  }

  /** Shows what attempts of a worker have reported, and no longer what those that have ended had. */
  async reportProgress(
    worker: string,
    progress: { reported: readonly ReportedProgress[]; ended: readonly string[] },
  ): Promise<void> {
    await reportProgress(this.#client, this.namespace, worker, progress);
  }

  /** The attempts under way that state believes this worker to make. */
  async listAttempts(worker: string): Promise<AttemptAddress[]> {
    return retryTransient(() => listAttempts(this.#client, this.tags, worker), { deadlineMs: READ_DEADLINE_MS });
  }

  /**
   * Ends what nothing else can advance: its stored data are gone or damaged, or (INTERNAL) we fail over it. That is the run;
   * but where `key` is that of a cleanup, this cleanup alone, and the run goes on to undo what is left.
   */
  async failCorrupt(
    { runId, key }: { runId: string; key?: string | undefined },
    message: string,
    code: 'DATA_CORRUPTION' | 'INTERNAL' = 'DATA_CORRUPTION',
  ): Promise<void> {
    const tag = this.tagOf(runId);
    const errorJson = JSON.stringify({ type: 'non_retryable', code, message });
    if (key === undefined || parseStepKey(key).cleanup === undefined)
      await this.transitions.failRun(tag, runId, errorJson);
    else await this.transitions.endCleanup({ tag, runId, key }, { becomes: 'failed', dataJson: errorJson });
  }

  /**
   * Ends what schedulers have died of when they carried it out: the run, or (where `key` is that of a cleanup) this cleanup
   * alone. `cause` is told in the history.
   */
  async setAside(
    { runId, key }: { runId: string; key?: string | undefined },
    cause: { entry: string; deaths: number; scheduler: string },
  ): Promise<void> {
    const tag = this.tagOf(runId);
    const code = 'SCHEDULER_CRASH_LIMIT';
    const message = `what was to be done next ended the schedulers that did it, ${cause.deaths} times`;
    const errorJson = JSON.stringify({ type: 'crash', code, message });
    if (key !== undefined && parseStepKey(key).cleanup !== undefined) {
      await this.transitions.endCleanup({ tag, runId, key }, { becomes: 'failed', dataJson: errorJson });
    } else await this.transitions.failRun(tag, runId, errorJson, JSON.stringify(cause));
  }

  async pauseRun(runId: string): Promise<{ status: RunStatus }> {
    await this.transitions.pauseOrResume('pause-run', this.tagOf(runId), runId);
    return { status: 'paused' };
  }

  async resumeRun(runId: string): Promise<{ status: RunStatus }> {
    await this.transitions.pauseOrResume('resume-run', this.tagOf(runId), runId);
    return { status: 'running' };
  }

  /** See `retryRun`. Schedulers carry it out: the run is pending until they have. */
  async retryRun(runId: string, request: RetryRequest = {}): Promise<RetriedRun> {
    const plan = await this.#planOfRun(runId);
    return retryRun({ ...this.#reads(), plan, transitions: this.transitions }, runId, request);
  }

  /** See `previewRetry`. */
  async previewRetry(runId: string, request: RetryRequest = {}): Promise<RetryPreview & { plan: P }> {
    const plan = await this.#planOfRun(runId);
    return { ...(await previewRetry({ ...this.#reads(), plan }, runId, request)), plan };
  }

  /** See `listDeadLetters`. */
  async listDeadLetters(query: DeadLetterQuery): Promise<{ deadLetters: DeadLetterView[]; cursor?: string }> {
    return listDeadLetters(this.#deadLetterReads(), query);
  }

  /** See `readDeadLetter`. */
  async readDeadLetter(runId: string, stepId: string): Promise<DeadLetterDetail> {
    return readDeadLetter({ ...this.#reads(), plan: await this.#planOfRun(runId) }, runId, stepId);
  }

  /** How long a delay that is under way lasts, as was decided when it began; undefined when there is none. */
  async readDelay(runId: string, key: StepKey): Promise<number | undefined> {
    const stored = await this.#client.hget(stateKey(this.tagOf(runId), 'run', runId), headerField(key));
    if (stored == null) return undefined;
    const { startedAt = 0, dueAt } = parseStepHeader(stored, 0);
    return dueAt === undefined ? undefined : dueAt - startedAt;
  }

  /** True from a retry of the run until it goes on. */
  async isReopening(runId: string): Promise<boolean> {
    const packed = await this.#client.hget(stateKey(this.tagOf(runId), 'run', runId), FIELD.meta);
    return packed != null && parseRunMeta(packed).letter === RUN.reopening;
  }

  /** See `redriveDeadLetters`. */
  async redriveDeadLetters(runId: string, stepIds: readonly string[], opening?: number): Promise<RedrivenRun> {
    const plan = await this.#planOfRun(runId);
    return redriveDeadLetters({ ...this.#reads(), plan, transitions: this.transitions }, runId, stepIds, opening);
  }

  /** See `discardDeadLetters`. */
  async discardDeadLetters(runId: string, stepIds: readonly string[], opening?: number): Promise<boolean[]> {
    const plan = await this.#planOfRun(runId);
    return discardDeadLetters({ ...this.#reads(), plan, transitions: this.transitions }, runId, stepIds, opening);
  }

  /** See `readWait`. */
  readWait(runId: string, key: StepKey): Promise<OpenWait | undefined> {
    return readWait(this.#client, { tag: this.tagOf(runId), runId, key });
  }

  /** See `readLoopPosition`. */
  async readLoopPosition(runId: string, key: StepKey, plan: P): Promise<LoopPosition | undefined> {
    const reading = new SourceReading();
    const { client, seal } = this.#reads();
    try {
      return await readLoopPosition({ client, seal, plan, tag: this.tagOf(runId), runId, reading }, key);
    } finally {
      reading.end();
    }
  }

  /** See `listOpenWaits`. */
  listOpenWaits(runId: string, keys: readonly StepKey[]): ReturnType<typeof listOpenWaits> {
    return listOpenWaits(this.#client, { tag: this.tagOf(runId), runId }, keys);
  }

  /** See `readParent`. */
  readParent(runId: string): ReturnType<typeof readParent> {
    return readParent(this.#client, { tag: this.tagOf(runId), runId });
  }

  /** See `sendSignal`. */
  sendSignal(runId: string, signal: SendSignal): Promise<SignalSent> {
    const nameOf = async (key: string) => stepIdOf(await this.#planOfRun(runId), key);
    return sendSignal(this.transitions, { tag: this.tagOf(runId), runId, stepIdOf: nameOf }, signal);
  }

  /** WEBHOOK_NOT_FOUND. */
  async answerWebhook(
    { runId, stepId, token }: { runId: string; stepId: string; token: string },
    body: Json,
  ): Promise<{ alreadyAnswered: boolean }> {
    const address = await findApproval(this.#approvalReads(), `${runId}.${stepId}`);
    const wait = address && (await this.readWait(runId, address.key));
    const key = address?.key ?? '';
    return answerWebhook(this.transitions, wait, { tag: this.tagOf(runId), runId, key }, { token, body });
  }

  /** See `listApprovals`. */
  listApprovals(query: Parameters<typeof listApprovals>[1]): ReturnType<typeof listApprovals> {
    return listApprovals(this.#approvalReads(), query);
  }

  /** Undefined when there is none of this id. */
  async readApproval(id: string): Promise<ApprovalView | undefined> {
    const address = await findApproval(this.#approvalReads(), id);
    return address && readApproval(this.#approvalReads(), address);
  }

  /** See `decideApproval`. */
  async decideApproval(id: string, decision: DecideApproval): Promise<ApprovalView> {
    const at = await this.now();
    const tag = (runId: string) => this.tagOf(runId);
    return decideApproval(this.#approvalReads(), this.transitions, id, { ...decision, tag, at });
  }

  #approvalReads(): ApprovalReads {
    return {
      ...this.#reads(),
      planOf: (runId) => this.#planOfRun(runId),
      readStep: async (runId, key) => {
        const page = await this.listSteps(runId, { cursor: `${key}.`, limit: 1 });
        return page.steps[0];
      },
    };
  }

  async readRun(runId: string): Promise<RunView | undefined> {
    const view = await readRun(this.#reads(), runId);
    if (view === undefined) return undefined;
    try {
      const plan = await this.readPlan(this.tagOf(runId), view.definitionHash);
      const settled = await countSettled(this.#reads(), view, plan);
      const running = view.counts?.running ?? 0;
      return { ...view, counts: { steps: plan.steps.length, ...(settled !== undefined && { settled }), running } };
    } catch (error) {
      // Such a run is still told about: what is known of it does not need the plan.
      if (hasNoPlan(error)) return view;
      throw error;
    }
  }

  listRuns(query: RunQuery): Promise<{ runs: RunView[]; cursor?: string }> {
    return listRuns(this.#reads(), query);
  }

  /** Of the runs that fit, by status and by reason for waiting. */
  countRuns(filter: Pick<RunQuery, 'workflow' | 'tag' | 'from' | 'to'>): Promise<RunCounts> {
    return countRuns(this.#reads(), filter);
  }

  /** The runs that this is the id, an attempt's id or the idempotency key of. */
  async findRuns(id: string): Promise<RunView[]> {
    const ids = await findRuns(this.#reads(), id);
    const views = await Promise.all(ids.map((runId) => readListedRun(this.#reads(), runId)));
    return views.filter((view) => view !== undefined);
  }

  /** See `compareRuns`. */
  compareRuns(runId: string, otherRunId: string): Promise<RunComparison> {
    return compareRuns({ ...this.#reads(), readPlan: (tag, hash) => this.readPlan(tag, hash) }, runId, otherRunId);
  }

  /** See `readChanges`. */
  readChanges(query: ChangeQuery): Promise<Changes> {
    return readChanges(this.#reads(), query);
  }

  /** Keeps lines that a handler has logged. Refused while Redis has no room. */
  appendLogs(chunk: LogChunk): Promise<void> {
    return appendLogs(this.#admission, chunk);
  }

  /** RUN_NOT_FOUND, STEP_NOT_FOUND. */
  async readStepLogs(
    runId: string,
    stepId: string,
    page: { after: number; limit: number; attempt?: number | undefined },
  ): Promise<StepLogs> {
    const key = keyOfStep(await this.#planOfRun(runId), stepId);
    if (key === undefined) throw new FlotillaError('STEP_NOT_FOUND', `run ${runId} has no step ${stepId}`);
    return readStepLogs({ client: this.#client, tag: this.tagOf(runId), runId }, { key, stepId }, page);
  }

  /** Which steps have lines. RUN_NOT_FOUND. */
  async readLogIndex(runId: string): Promise<LogIndex> {
    return readLogIndex({ client: this.#client, tag: this.tagOf(runId), runId }, await this.#planOfRun(runId));
  }

  readLag(): Promise<Lag> {
    return readLag(this.#reads());
  }

  readBacklog(since: { deadSince: number }): Promise<Backlog> {
    return readBacklog(this.#reads(), since);
  }

  listErrorGroups(query: ErrorGroupQuery): Promise<{ errors: ErrorGroup[]; cursor?: string }> {
    return listErrorGroups(this.#reads(), query);
  }

  /** @throws FlotillaError ERROR_GROUP_NOT_FOUND */
  decideErrorGroup(fingerprint: string, action: ErrorGroupAction): Promise<ErrorGroup> {
    return decideErrorGroup(this.#reads(), fingerprint, action);
  }

  async listSteps(
    runId: string,
    page: { cursor?: string | undefined; limit: number },
  ): Promise<{ steps: StepView[]; cursor?: string }> {
    return listSteps({ ...this.#reads(), plan: await this.#planOfRun(runId) }, runId, page);
  }

  async listCheckpoints(
    runId: string,
    page: { cursor?: string | undefined; limit: number },
  ): Promise<{ checkpoints: CheckpointView[]; cursor?: string }> {
    return listCheckpoints({ ...this.#reads(), plan: await this.#planOfRun(runId) }, runId, page);
  }

  /** Compensations and registered cleanups, in the order of registration. */
  async listCleanups(
    runId: string,
    page: { cursor?: string | undefined; limit: number },
  ): Promise<{ cleanups: CleanupView[]; cursor?: string }> {
    return listCleanups({ ...this.#reads(), plan: await this.#planOfRun(runId) }, runId, page);
  }

  /** See `listFailedCleanups`. */
  listFailedCleanups(page: {
    cursor?: string | undefined;
    limit: number;
  }): Promise<{ runs: FailedCleanups[]; cursor?: string }> {
    const listCleanups = (runId: string, of: { cursor?: string; limit: number }) => this.listCleanups(runId, of);
    return listFailedCleanups({ ...this.#reads(), listCleanups }, page);
  }

  /** Ended runs of which cleanups have failed for good. */
  countFailedCleanups(): Promise<number> {
    return countFailedCleanups(this.#reads());
  }

  /** See `retryCleanup`. */
  retryCleanup(runId: string, number: number): Promise<boolean> {
    return retryCleanup({ ...this.#reads(), transitions: this.transitions }, runId, number);
  }

  /** What a cleanup was registered with; undefined when there is none of this number. */
  async readCleanup(runId: string, number: number): Promise<StoredCleanup | undefined> {
    const key = stateKey(this.tagOf(runId), 'run', runId);
    const stored = await retryTransient(() => this.#client.hget(key, cleanupField(number)), {
      deadlineMs: READ_DEADLINE_MS,
    });
    return stored == null ? undefined : parseStoredCleanup(stored);
  }

  async readHistory(
    runId: string,
    page: { after: number; limit: number },
  ): Promise<{ events: HistoryEvent[]; next: number }> {
    const { definitionHash, createdAt } = await this.#runBasics(runId);
    const plan = await this.readPlan(this.tagOf(runId), definitionHash);
    return readHistory({ ...this.#reads(), plan }, runId, createdAt, page);
  }

  /** Number of events of a run; 0 of one that is not there. */
  historyLength(runId: string): Promise<number> {
    return this.#client.llen(stateKey(this.tagOf(runId), 'history', runId));
  }

  registerWorkflow(plan: P): Promise<{ view: WorkflowView; created: boolean }> {
    return registerWorkflow(this.#client, this.namespace, plan);
  }

  readWorkflow(name: string, version?: string): Promise<WorkflowView | undefined> {
    return readWorkflow(this.#client, this.namespace, name, version);
  }

  /** How many versions there were to forget. */
  deleteWorkflow(name: string, version?: string): Promise<number> {
    return deleteWorkflow(this.#client, this.namespace, name, version);
  }

  listWorkflows(page: {
    cursor?: string | undefined;
    limit: number;
  }): Promise<{ workflows: WorkflowView[]; cursor?: string }> {
    return listWorkflows(this.#client, this.namespace, page);
  }

  /**
   * The plan that runs of this definition are pinned to. DATA_CORRUPTION when it is gone or its hash differs;
   * DEFINITION_NOT_UNDERSTOOD when it is intact and does not compile here: then it is for another process.
   */
  async readPlan(tag: string, definitionHash: string): Promise<P> {
    const cached = this.#plans.get(definitionHash);
    if (cached !== undefined) return cached;
    let reading = this.#reading.get(definitionHash);
    if (reading === undefined) {
      reading = this.#readPlan(tag, definitionHash).finally(() => this.#reading.delete(definitionHash));
      this.#reading.set(definitionHash, reading);
    }
    return reading;
  }

  async #readPlan(tag: string, definitionHash: string): Promise<P> {
    const key = stateKey(tag, 'definition', definitionHash);
    const text = await retryTransient(() => this.#client.hget(key, 'text'), { deadlineMs: READ_DEADLINE_MS });
    if (text == null) {
      throw new FlotillaError('DATA_CORRUPTION', `definition ${definitionHash} of a run is gone`);
    }
    const failure = this.#notUnderstood.get(definitionHash);
    if (failure !== undefined) throw failure;
    const plan = await this.#compileStored(text, definitionHash);
    this.#plans.set(definitionHash, plan);
    return plan;
  }

  /** Redis' clock in ms. */
  now(): Promise<number> {
    return readRedisTime(this.#client);
  }

  /** The outboxes, for one that reads them. */
  outbox(options: OutboxOptions): Outbox {
    return new Outbox(this.#client, this.tags, options);
  }

  /** See `wakeParked`. */
  wakeParked(): Promise<void> {
    return wakeParked(this.#client, this.tags);
  }

  /** The steps that one breaker keeps parked. */
  parkedBehind(breaker: string): ParkedBehind {
    return new ParkedBehind(this.#client, this.tags, breaker);
  }

  /** Runs of a partition that ended at this time (Redis' clock) or before, the first ones. */
  listEnded(tag: string, until: number, limit: number): Promise<string[]> {
    return this.#client.zrangebyscore(stateKey(tag, 'ended'), '-inf', until, 'LIMIT', 0, limit);
  }

  /** What steps have taken lately in ms, by `queue/handler`. */
  readDurations(): Promise<Record<string, string>> {
    return this.#client.hgetall(deploymentKeys(this.namespace).durations);
  }

  async publishDurations(durations: Readonly<Record<string, string | number>>): Promise<void> {
    await this.#client.hset(deploymentKeys(this.namespace).durations, durations);
  }

  /** See `readWaits`. */
  readWaits(runId: string, timers: readonly string[], workers: readonly string[]): Promise<Waits> {
    return readWaits(this.#client, { tag: this.tagOf(runId), runId }, timers, workers);
  }

  /** See `readRateLimited`. */
  readRateLimited(address: AttemptAddress, from: number): ReturnType<typeof readRateLimited> {
    return readRateLimited(this.#client, address, from);
  }

  /** See `TrialMarks`. */
  trialMarks(schedulerId: string): TrialMarks {
    return new TrialMarks(this.#client, schedulerId);
  }

  /** See `readLosses`. */
  readLosses(address: StepAddress): Promise<Loss[]> {
    return readLosses(this.#client, address);
  }

  /** Remembers a plan that was just compiled, so that it need not be read back. */
  rememberPlan(plan: P): void {
    this.#plans.set(plan.hash, plan);
  }

  /**
   * Calls the listener with ids of runs that ended. A hint: it may be lost, and it comes only once `listenOn` was called.
   * Gives the function that stops watching.
   */
  watchRuns(listener: (runId: string) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** Gives state a subscriber connection of its own for `watchRuns`. */
  async listenOn(subscriber: RedisClient): Promise<void> {
    await listenForHints(subscriber, this.namespace, 'ended', (runId) => {
      for (const watcher of this.#watchers) watcher(runId);
    });
  }

  async health(): Promise<{ ok: boolean; problems: Problem[]; latencyMs: number }> {
    const started = performance.now();
    try {
      await this.#client.ping();
      return { ok: true, problems: [], latencyMs: performance.now() - started };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const latencyMs = performance.now() - started;
      return { ok: false, problems: [{ code: 'REDIS_UNAVAILABLE', path: '', message }], latencyMs };
    }
  }

  #deadLetterReads() {
    return { ...this.#reads(), readPlan: (tag: string, hash: string) => this.readPlan(tag, hash) };
  }

  #reads() {
    return { client: this.#client, namespace: this.namespace, partitions: this.partitions, seal: this.seal };
  }

  async #runBasics(runId: string): Promise<{ definitionHash: string; createdAt: number }> {
    const [hash, packed] = await this.#client.hmget(
      stateKey(this.tagOf(runId), 'run', runId),
      FIELD.definition,
      FIELD.meta,
    );
    if (hash == null || packed == null) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    return { definitionHash: hash, createdAt: parseRunMeta(packed).createdAt };
  }

  async #compileStored(text: string, definitionHash: string): Promise<P> {
    // Only this is damage. What else goes wrong is this process' trouble, and another may do better.
    if (createHash('sha256').update(text).digest('hex') !== definitionHash) {
      throw new FlotillaError('DATA_CORRUPTION', `definition ${definitionHash} of a run is damaged: its hash differs`);
    }
    try {
      return await this.#options.compile(text);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `this process cannot compile definition ${definitionHash}, which is intact: ${why}`;
      const options = { cause, retryAfterMs: NOT_UNDERSTOOD_MS };
      const failure = new FlotillaError('DEFINITION_NOT_UNDERSTOOD', message, options);
      this.#notUnderstood.set(definitionHash, failure);
      throw failure;
    }
  }

  /** Ids of the steps of a run that are dead letters. RUN_NOT_FOUND. */
  async listDeadSteps(runId: string): Promise<string[]> {
    const [plan, numbers] = await Promise.all([
      this.#planOfRun(runId),
      this.#client.zrange(stateKey(this.tagOf(runId), 'deadLetters', runId), '0', '-1'),
    ]);
    return numbers.map((number) => stepIdOf(plan, number));
  }

  async #planOfRun(runId: string): Promise<P> {
    return this.readPlan(this.tagOf(runId), (await this.#runBasics(runId)).definitionHash);
  }
}

export type RunHint = 'ended' | 'aborts' | 'breakers';

/**
 * Listens to hints of a kind: ids of runs that ended, or that began to end; breakers that opened or closed. Hints may be lost; who needs to be sure polls.
 * `subscriber` is a connection of its own.
 */
export async function listenForHints(
  subscriber: RedisClient,
  namespace: string,
  kind: RunHint,
  listener: (runId: string) => void,
): Promise<void> {
  const channel = namespace + CHANNELS[kind];
  subscriber.on('message', (from: string, runId: string) => {
    if (from === channel) listener(runId);
  });
  await keepSubscribed(subscriber, channel);
}
