import {
  type AgentEvent,
  type AgentView,
  type CleanupView,
  type DeadLetterDetail,
  type DeadLetterView,
  type FailedCleanups,
  FlotillaError,
  type HistoryEvent,
  isTerminalRunStatus,
  type Json,
  type Problem,
  type RetryPlan,
  type RunStatus,
  type RunView,
  type StepView,
  type Why,
  type WorkflowView,
} from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type {
  CancelledRun,
  CreatedRun,
  CreateRun,
  Page,
  PlannedRetry,
  RetryRequest,
  RunApi,
  RunQuery,
} from '../run-api.ts';

interface FakeRun {
  view: RunView;
  bodyHash: string;
  history: HistoryEvent[];
  steps: StepView[];
  cleanups: CleanupView[];
}

/** Runs in memory, for tests of the HTTP edge alone: nothing runs by itself, the test says what happens. */
export class FakeRunApi implements RunApi {
  readonly runs = new Map<string, FakeRun>();
  readonly workflows = new Map<string, WorkflowView>();
  agents: AgentView[] = [];
  agentEvents: AgentEvent[] = [];
  /** Requests as they came, for what the edge derived. */
  readonly created: CreateRun[] = [];
  /** `run/step` of letters that somebody else discards between the list and the redrive. */
  readonly discardedMeanwhile = new Set<string>();
  failedCleanups: FailedCleanups[] = [];
  /** What retries of any run would do. */
  plan: RetryPlan | undefined;
  /** In the order in which they are listed. */
  deadLetters: DeadLetterView[] = [];
  /** Runs and steps that were redriven or discarded, and the queries of lists. */
  readonly acts: unknown[] = [];
  readonly cancelled: { runId: string; reason: string | undefined }[] = [];
  calls = 0;
  /** What each call does before it works: throw, or wait. */
  before: (method: string) => void | Promise<void> = () => undefined;
  hintsAreSent = true;
  healthProblems: Problem[] = [];
  readonly #versions = new Map<string, WorkflowView>();
  readonly #keys = new Map<string, string>();
  readonly #listeners = new Set<(runId: string) => void>();
  #clock = 1_700_000_000_000;

  async createRun(request: CreateRun): Promise<CreatedRun> {
    await this.#begin('createRun');
    return this.#create(request);
  }

  async createRuns(requests: CreateRun[]): Promise<(CreatedRun | FlotillaError)[]> {
    await this.#begin('createRuns');
    return requests.map((request) => {
      try {
        return this.#create(request);
      } catch (error) {
        return error as FlotillaError;
      }
    });
  }

  async cancelRun(runId: string, reason?: string): Promise<CancelledRun> {
    await this.#begin('cancelRun');
    const { view, history } = this.#run(runId);
    this.cancelled.push({ runId, reason });
    this.#clock += 1000;
    if (!isTerminalRunStatus(view.status) && view.status !== 'cancelling') {
      view.status = 'cancelling';
      this.append(runId, { type: 'cancel-requested' });
    }
    const request = history.find(({ type }) => type === 'cancel-requested');
    const outcome = isTerminalRunStatus(view.status) ? view.status : 'cancelled';
    if (request === undefined) return { status: view.status, outcome, requestedAt: this.#clock };
    return { status: view.status, outcome, requestedAt: request.at, requestSeq: request.seq };
  }

  async pauseRun(runId: string): Promise<{ status: RunStatus }> {
    await this.#begin('pauseRun');
    const { view } = this.#run(runId);
    if (isTerminalRunStatus(view.status)) throw new FlotillaError('RUN_NOT_ACTIVE', 'the run has ended');
    view.status = 'paused';
    return { status: 'paused' };
  }

  async resumeRun(runId: string): Promise<{ status: RunStatus }> {
    await this.#begin('resumeRun');
    this.#run(runId).view.status = 'running';
    return { status: 'running' };
  }

  async retryRun(runId: string): Promise<{ status: RunStatus; opening: number; alreadyRetried: boolean }> {
    await this.#begin('retryRun');
    const { view } = this.#run(runId);
    if (!isTerminalRunStatus(view.status)) throw new FlotillaError('RUN_STILL_ACTIVE', 'the run has not ended');
    view.status = 'pending';
    view.opening = (view.opening ?? 1) + 1;
    return { status: 'pending', opening: view.opening, alreadyRetried: false };
  }

  async listFailedCleanups(page: Page): Promise<{ runs: FailedCleanups[]; cursor?: string }> {
    await this.#begin('listFailedCleanups');
    const { items, cursor } = pageOf(this.failedCleanups, page);
    return { runs: items, ...(cursor !== undefined && { cursor }) };
  }

  async retryCleanup(runId: string, number: number): Promise<boolean> {
    await this.#begin('retryCleanup');
    this.acts.push({ retryCleanup: runId, number });
    return this.acts.filter((act) => 'retryCleanup' in (act as object)).length > 1;
  }

  async planRetry(runId: string, { opening = 1 }: RetryRequest): Promise<PlannedRetry> {
    await this.#begin('planRetry');
    if (this.plan === undefined) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    const { status = 'failed' } = this.runs.get(runId)?.view ?? {};
    return { status, opening: opening + 1, alreadyRetried: false, plan: this.plan };
  }

  async listDeadLetters(
    query: Page & { wholeRuns?: boolean },
  ): Promise<{ deadLetters: DeadLetterView[]; cursor?: string }> {
    await this.#begin('listDeadLetters');
    this.acts.push(query);
    const { items, cursor } = pageOf(this.deadLetters, query);
    return { deadLetters: items, ...(cursor !== undefined && { cursor }) };
  }

  async readDeadLetter(runId: string, stepId: string): Promise<DeadLetterDetail> {
    await this.#begin('readDeadLetter');
    const found = this.#letter(runId, stepId);
    const run = { status: 'failed' as const, createdAt: 1, endedAt: 2, tags: [], definitionHash: '', path: '' };
    return { ...found, run, events: [], eventsTruncated: false };
  }

  async redriveDeadLetters(
    runId: string,
    stepIds: readonly string[],
    opening?: number,
  ): Promise<{ status: RunStatus; opening: number; alreadyRedriven: boolean; redriven: boolean[] }> {
    await this.#begin('redriveDeadLetters');
    this.acts.push({ redrive: runId, stepIds, opening });
    const alreadyRedriven = this.#letter(runId, stepIds[0]!).opening !== (opening ?? 1);
    const redriven = stepIds.map((stepId) => !alreadyRedriven && !this.discardedMeanwhile.has(`${runId}/${stepId}`));
    return { status: 'pending', opening: 2, alreadyRedriven, redriven };
  }

  async discardDeadLetters(runId: string, stepIds: readonly string[], opening?: number): Promise<boolean[]> {
    await this.#begin('discardDeadLetters');
    this.acts.push({ discard: runId, stepIds, opening });
    this.#letter(runId, stepIds[0]!);
    return stepIds.map(() => true);
  }

  async readRun(runId: string): Promise<RunView | undefined> {
    await this.#begin('readRun');
    return this.runs.get(runId)?.view;
  }

  async listRuns(query: RunQuery): Promise<{ runs: RunView[]; cursor?: string }> {
    await this.#begin('listRuns');
    const all = [...this.runs.values()].map((run) => run.view).reverse();
    const wanted = all.filter(
      (run) =>
        (query.workflow === undefined || run.workflow === query.workflow) &&
        (query.status === undefined || run.status === query.status) &&
        (query.tag === undefined || run.tags.includes(query.tag)),
    );
    const { items, cursor } = pageOf(wanted, query);
    return { runs: items, ...(cursor !== undefined && { cursor }) };
  }

  async listSteps(runId: string, page: Page): Promise<{ steps: StepView[]; cursor?: string }> {
    await this.#begin('listSteps');
    const { items, cursor } = pageOf(this.#run(runId).steps, page);
    return { steps: items, ...(cursor !== undefined && { cursor }) };
  }

  async readHistory(
    runId: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<{ events: HistoryEvent[]; next: number }> {
    await this.#begin('readHistory');
    const events = this.#run(runId).history.slice(after + 1, after + 1 + limit);
    return { events, next: events.at(-1)?.seq ?? after };
  }

  async listCleanups(runId: string, page: Page): Promise<{ cleanups: CleanupView[]; cursor?: string }> {
    await this.#begin('listCleanups');
    const { items, cursor } = pageOf(this.#run(runId).cleanups, page);
    return { cleanups: items, ...(cursor !== undefined && { cursor }) };
  }

  async listCheckpoints(runId: string): Promise<{ checkpoints: [] }> {
    await this.#begin('listCheckpoints');
    this.#run(runId);
    return { checkpoints: [] };
  }

  async explainRun(runId: string): Promise<Why> {
    await this.#begin('explainRun');
    const run = this.runs.get(runId);
    if (run === undefined) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    return { runId, status: run.view.status, now: this.#clock, gates: [], truncated: false };
  }

  async listAgentEvents(limit: number): Promise<AgentEvent[]> {
    await this.#begin('listAgentEvents');
    return this.agentEvents.slice(0, limit);
  }

  async listAgents(): Promise<AgentView[]> {
    await this.#begin('listAgents');
    return this.agents;
  }

  async registerWorkflow(plan: Plan): Promise<{ view: WorkflowView; created: boolean }> {
    await this.#begin('registerWorkflow');
    const { name, version } = plan.definition;
    const known = this.workflows.get(name);
    if (
      known !== undefined &&
      version !== undefined &&
      known.version === version &&
      known.definitionHash !== plan.hash
    ) {
      throw new FlotillaError('WORKFLOW_VERSION_CONFLICT', `${name} ${version} exists with another content`);
    }
    const view: WorkflowView = {
      name,
      ...(version !== undefined && { version }),
      definitionHash: plan.hash,
      registeredAt: this.#clock,
      definition: plan.definition as Json,
    };
    this.workflows.set(name, view);
    if (version !== undefined) this.#versions.set(`${name}@${version}`, view);
    return { view, created: known?.definitionHash !== plan.hash };
  }

  async readWorkflow(name: string, version?: string): Promise<WorkflowView | undefined> {
    await this.#begin('readWorkflow');
    return version === undefined ? this.workflows.get(name) : this.#versions.get(`${name}@${version}`);
  }

  async deleteWorkflow(name: string, version?: string): Promise<number> {
    await this.#begin('deleteWorkflow');
    if (version !== undefined) return this.#versions.delete(`${name}@${version}`) ? 1 : 0;
    for (const key of [...this.#versions.keys()]) if (key.startsWith(`${name}@`)) this.#versions.delete(key);
    return this.workflows.delete(name) ? 1 : 0;
  }

  async listWorkflows(page: Page): Promise<{ workflows: WorkflowView[]; cursor?: string }> {
    await this.#begin('listWorkflows');
    const { items, cursor } = pageOf([...this.workflows.values()], page);
    return { workflows: items, ...(cursor !== undefined && { cursor }) };
  }

  watchRuns(listener: (runId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async health(): Promise<{ ok: boolean; problems: Problem[]; latencyMs: number }> {
    await this.#begin('health');
    return { ok: this.healthProblems.length === 0, problems: this.healthProblems, latencyMs: 1 };
  }

  // What the test makes happen

  append(runId: string, event: Partial<HistoryEvent> & Pick<HistoryEvent, 'type'>): void {
    const { history } = this.#run(runId);
    this.#clock += 1;
    history.push({ ...event, seq: history.length, at: this.#clock });
    if (this.hintsAreSent) for (const listener of this.#listeners) listener(runId);
  }

  finish(runId: string, status: 'succeeded' | 'failed' | 'cancelled' | 'timed-out', output: Json = null): void {
    const { view } = this.#run(runId);
    Object.assign(view, { status, output, endedAt: this.#clock + 1 });
    this.append(runId, { type: `run-${status}` });
  }

  async #begin(method: string): Promise<void> {
    this.calls += 1;
    await this.before(method);
  }

  #letter(runId: string, stepId: string): DeadLetterView {
    const found = this.deadLetters.find((letter) => letter.runId === runId && letter.stepId === stepId);
    if (found === undefined)
      throw new FlotillaError('DEAD_LETTER_NOT_FOUND', `${stepId} of ${runId} is no dead letter`);
    return found;
  }

  #run(runId: string): FakeRun {
    const run = this.runs.get(runId);
    if (run === undefined) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    return run;
  }

  #create(request: CreateRun): CreatedRun {
    this.created.push(request);
    const { idempotencyKey, bodyHash, durability, plan, tags } = request;
    const known = idempotencyKey === undefined ? undefined : this.#keys.get(idempotencyKey);
    const runId = known ?? request.runId ?? `00-${this.runs.size}`;
    const before = this.runs.get(runId);
    if (before !== undefined) {
      if (before.bodyHash !== bodyHash) throw new FlotillaError('IDEMPOTENCY_CONFLICT', 'used with another body');
      return { runId, status: before.view.status, deduplicated: true, durability };
    }
    if (idempotencyKey !== undefined) this.#keys.set(idempotencyKey, runId);
    const view: RunView = {
      runId,
      workflow: plan.definition.name,
      definitionHash: plan.hash,
      status: 'running',
      createdAt: this.#clock,
      input: JSON.parse(request.inputJson) as Json,
      tags,
    };
    const steps = plan.steps.map(({ id, kind }): StepView => ({ stepId: id, kind, status: 'waiting', attempts: 0 }));
    this.runs.set(runId, { view, bodyHash, history: [], steps, cleanups: [] });
    this.append(runId, { type: 'run-created' });
    return { runId, status: 'running', deduplicated: false, durability };
  }
}

function pageOf<Item>(items: readonly Item[], { cursor, limit }: Page): { items: Item[]; cursor: string | undefined } {
  const start = Number(cursor ?? 0);
  const end = start + limit;
  return { items: items.slice(start, end), cursor: end < items.length ? String(end) : undefined };
}
