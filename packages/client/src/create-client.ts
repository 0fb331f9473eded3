import type {
  AgentEvent,
  AgentEventList,
  AgentList,
  AgentView,
  BreakerList,
  BreakerView,
  CancelReceipt,
  CheckpointList,
  FlagList,
  FlotillaError,
  HistoryEvent,
  HistoryPage,
  Json,
  Problem,
  RunList,
  RunRetried,
  RunStarted,
  RunStatus,
  RunView,
  StepList,
  StepView,
  Why,
  WorkflowDeleted,
  WorkflowView,
} from '@flotilla/contracts';
import { type BulkCalls, bulkCalls } from './bulk-calls.ts';
import { type ChannelCalls, channelCalls } from './channel-calls.ts';
import { checkDefinition } from './check-json.ts';
import { type CallOptions, type ClientOptions, callOf, readSettings } from './client-options.ts';
import { type DeadLetterCalls, deadLetterCalls } from './dead-letters.ts';
import { type FailedCleanupCalls, failedCleanupCalls } from './failed-cleanups.ts';
import { type FollowOptions, followEvents } from './follow-events.ts';
import { type InsightCalls, insightCalls } from './insight-calls.ts';
import { queryText, runPath } from './paths.ts';
import { type StartEntry, type StartOptions, startRun, startRuns, type WorkflowReference } from './start-runs.ts';
import { Transport } from './transport.ts';
import { type WaitCalls, waitCalls } from './wait-calls.ts';
import { type WaitOptions, waitForRun } from './wait-for-run.ts';

export interface PageOptions extends CallOptions {
  cursor?: string;
  /** 1 to 500; default 50. */
  limit?: number;
}

export interface ListOptions extends PageOptions {
  workflow?: string;
  status?: RunStatus;
  tag?: string;
  /** A reason, with its subject where it has one: `queued`, `breaker:payments`. */
  waiting?: string;
  /** Fingerprint of a group of errors. */
  error?: string;
  /** Any id: of the run, of an attempt, an idempotency key. It cannot be combined with the others. */
  id?: string;
  /** Created then, both included, in ms since 1970. */
  from?: number;
  to?: number;
  /** Adds how many runs of this workflow, tag and time there are by status and by reason. */
  counts?: boolean;
}

export interface WhyOptions extends CallOptions {
  /** Only this step, or item of a map. */
  stepId?: string;
  /** Most gates, 1 to 1000; default 100. */
  limit?: number;
}

export interface HistoryOptions extends CallOptions {
  /** Events with a greater `seq`. Default -1: from the start. */
  after?: number;
  /** 1 to 1000; default 500. */
  limit?: number;
}

export interface CancelOptions extends CallOptions {
  reason?: string;
  /** How long the answer may wait for the run to end. Default 10000; counted on top of the deadline. */
  waitMs?: number;
}

export interface RetryRunOptions extends CallOptions {
  /** A step that is made anew with all that depends on it, even if it succeeded. */
  from?: string;
  /** Of the steps that failed only these. Default: all. */
  steps?: readonly string[];
  /** The opening whose end is meant. Default: that of the run as it stands now. */
  opening?: number;
  /** Only say what it would do: `plan`. */
  dryRun?: boolean;
}

export interface RegisteredWorkflow extends WorkflowView {
  created: boolean;
  warnings?: Pick<Problem, 'code' | 'path' | 'message'>[];
}

/**
 * Every method rejects with a FlotillaError: the server's `code`, or SCHEDULER_UNREACHABLE, DEADLINE_EXCEEDED,
 * CALL_ABORTED. `ambiguous` is true when the call may have taken effect although it failed.
 */
export interface FlotillaClient
  extends BulkCalls,
    ChannelCalls,
    DeadLetterCalls,
    FailedCleanupCalls,
    WaitCalls,
    InsightCalls {
  /** Starts a run once, however often the call has to be repeated. */
  start(workflow: WorkflowReference, input?: Json, options?: StartOptions & CallOptions): Promise<RunStarted>;
  /** One answer an entry, in their order. Rejects only for what is wrong with the call as a whole. */
  startMany(entries: readonly StartEntry[], options?: CallOptions): Promise<(RunStarted | FlotillaError)[]>;
  /** RUN_NOT_FOUND. */
  get(runId: string, options?: CallOptions): Promise<RunView>;
  /** The run when it has ended, however it has ended. RUN_NOT_FOUND, DEADLINE_EXCEEDED. */
  wait(runId: string, options?: WaitOptions): Promise<RunView>;
  /** Each event of the run once and in order, as they happen, until the run has ended. */
  events(runId: string, options?: FollowOptions): AsyncGenerator<HistoryEvent>;
  /** One page, newest first. */
  list(options?: ListOptions): Promise<RunList>;
  /** All runs, page after page. */
  listAll(options?: ListOptions): AsyncGenerator<RunView>;
  steps(runId: string, options?: PageOptions): Promise<StepList>;
  allSteps(runId: string, options?: PageOptions): AsyncGenerator<StepView>;
  history(runId: string, options?: HistoryOptions): Promise<HistoryPage>;
  allHistory(runId: string, options?: HistoryOptions): AsyncGenerator<HistoryEvent>;
  /** The feature flags, as the scheduler was started with them. */
  flags(options?: CallOptions): Promise<FlagList['flags']>;
  /** Every gate that holds the run or its steps; none when it has ended. */
  why(runId: string, options?: WhyOptions): Promise<Why>;
  checkpoints(runId: string, options?: PageOptions): Promise<CheckpointList>;
  /** Answers when the run has ended or `waitMs` is over; the receipt says what was stopped. */
  cancel(runId: string, options?: CancelOptions): Promise<CancelReceipt>;
  pause(runId: string, options?: CallOptions): Promise<{ runId: string; status: RunStatus }>;
  resume(runId: string, options?: CallOptions): Promise<{ runId: string; status: RunStatus }>;
  /**
   * Opens an ended run again: it goes on from what failed, and keeps what succeeded, unless that was undone: then it runs again,
   * with new idempotency keys, and `plan` says so. Safe to repeat: it says which end of
   * the run is meant. RUN_STILL_ACTIVE, NOTHING_TO_RETRY, STEP_NOT_FOUND.
   */
  retry(runId: string, options?: RetryRunOptions): Promise<RunRetried>;
  agents(options?: CallOptions): Promise<AgentView[]>;
  /** What happened to the agents' health, newest first; `limit` is 100 unless told. */
  agentEvents(options?: CallOptions & { limit?: number }): Promise<AgentEvent[]>;
  /** Those that steps have used within a day. */
  breakers(options?: CallOptions): Promise<BreakerView[]>;
  /** It stays open until it is closed: ready steps behind it wait parked. */
  openBreaker(name: string, options?: CallOptions): Promise<BreakerView>;
  /** Whatever opened it; its parked steps come back spread out. */
  closeBreaker(name: string, options?: CallOptions): Promise<BreakerView>;
  registerWorkflow(definition: object, options?: CallOptions): Promise<RegisteredWorkflow>;
  workflows(options?: PageOptions): Promise<{ workflows: WorkflowView[]; cursor?: string }>;
  workflow(name: string, options?: CallOptions & { version?: string }): Promise<WorkflowView>;
  /** One version, or all; runs keep what they began with. `deleted: 0` when there was none. */
  deleteWorkflow(name: string, options?: CallOptions & { version?: string }): Promise<WorkflowDeleted>;
  /** Errors and warnings; pointers go into the definition. Stores nothing. */
  validate(definition: unknown, options?: CallOptions): Promise<{ ok: boolean; problems: Problem[] }>;
}

/** Talks to a scheduler over HTTP; holds nothing that would have to be closed. CONFIG_INVALID for a bad URL. */
export function createClient(options: ClientOptions = {}): FlotillaClient {
  const transport = new Transport(readSettings(options));
  const stepPage = (runId: string, { cursor, limit, ...call }: PageOptions = {}): Promise<StepList> =>
    transport.get(`${runPath(runId)}/steps${queryText({ cursor, limit })}`, call);
  const runPage = ({ deadlineMs, signal, counts, ...query }: ListOptions = {}): Promise<RunList> => {
    const asked = { ...query, ...(counts === true && { counts: 'true' }) };
    return transport.get(`/v1/runs${queryText(asked)}`, callOf(deadlineMs, signal));
  };
  const historyPage = (runId: string, { after, limit, ...call }: HistoryOptions = {}): Promise<HistoryPage> =>
    transport.get(`${runPath(runId)}/history${queryText({ after, limit })}`, call);

  return {
    start: (workflow, input, { idempotencyKey, runId, tags, durability, ...call } = {}) =>
      startRun(transport, withoutUndefined({ workflow, input, idempotencyKey, runId, tags, durability }), call),
    startMany: (entries, call = {}) => startRuns(transport, entries, call),
    get: (runId, call) => transport.get(runPath(runId), call),
    wait: (runId, wait) => waitForRun(transport, runId, wait),
    events: (runId, follow) => followEvents(transport, runId, follow),
    list: runPage,
    listAll: (list = {}) =>
      allPages(list.cursor, async (cursor) => {
        const { runs, cursor: next } = await runPage({ ...list, ...(cursor !== undefined && { cursor }) });
        return { items: runs, next };
      }),
    steps: stepPage,
    allSteps: (runId, page = {}) =>
      allPages(page.cursor, async (cursor) => {
        const given = { limit: 500, ...page, ...(cursor !== undefined && { cursor }) };
        const { steps, cursor: next } = await stepPage(runId, given);
        return { items: steps, next };
      }),
    history: historyPage,
    allHistory: (runId, page) => wholeHistory((part) => historyPage(runId, part), page),
    flags: async (call = {}) => (await transport.get<FlagList>('/v1/flags', call)).flags,
    why: (runId, { stepId, limit, ...call } = {}) =>
      transport.get(`${runPath(runId)}/why${queryText({ stepId, limit })}`, call),
    checkpoints: (runId, { cursor, limit, ...call } = {}) =>
      transport.get(`${runPath(runId)}/checkpoints${queryText({ cursor, limit })}`, call),
    cancel: (runId, { reason, waitMs = 10_000, deadlineMs = transport.settings.deadlineMs, ...call } = {}) => {
      const body = reason === undefined ? undefined : { reason };
      return transport.post(`${runPath(runId)}/cancel?waitMs=${waitMs}`, body, {
        ...call,
        deadlineMs: deadlineMs + waitMs,
      });
    },
    pause: (runId, call) => transport.post(`${runPath(runId)}/pause`, undefined, call),
    resume: (runId, call) => transport.post(`${runPath(runId)}/resume`, undefined, call),
    retry: async (runId, { from, steps, opening, dryRun, ...call } = {}) => {
      const seen = opening ?? (await transport.get<RunView>(runPath(runId), call)).opening ?? 1;
      const body = {
        ...(from === undefined ? {} : { from }),
        ...(steps === undefined ? {} : { steps }),
        ...(dryRun === undefined ? {} : { dryRun }),
        opening: seen,
      };
      return transport.post(`${runPath(runId)}/retry`, body, call);
    },
    ...bulkCalls(transport),
    ...deadLetterCalls(transport),
    ...failedCleanupCalls(transport),
    ...waitCalls(transport),
    ...channelCalls(transport),
    ...insightCalls(transport),
    agents: async (call) => (await transport.get<AgentList>('/v1/agents', call)).agents,
    agentEvents: async ({ limit, ...call } = {}) =>
      (await transport.get<AgentEventList>(`/v1/agents/events${queryText({ limit })}`, call)).events,
    breakers: async (call) => (await transport.get<BreakerList>('/v1/breakers', call)).breakers,
    openBreaker: (name, call) => transport.post(`/v1/breakers/${encodeURIComponent(name)}/open`, undefined, call),
    closeBreaker: (name, call) => transport.post(`/v1/breakers/${encodeURIComponent(name)}/close`, undefined, call),
    registerWorkflow: async (definition, call) => {
      checkDefinition(definition);
      return transport.post('/v1/workflows', { definition }, call);
    },
    workflows: ({ cursor, limit, ...call } = {}) => transport.get(`/v1/workflows${queryText({ cursor, limit })}`, call),
    workflow: (name, { version, ...call } = {}) =>
      transport.get(`/v1/workflows/${encodeURIComponent(name)}${queryText({ version })}`, call),
    deleteWorkflow: (name, { version, ...call } = {}) =>
      transport.delete(`/v1/workflows/${encodeURIComponent(name)}${queryText({ version })}`, call),
    validate: (definition, call) => transport.post('/v1/validate', { definition }, call),
  };
}

async function* allPages<Item>(
  first: string | undefined,
  read: (cursor: string | undefined) => Promise<{ items: Item[]; next: string | undefined }>,
): AsyncGenerator<Item> {
  let cursor = first;
  do {
    const { items, next } = await read(cursor);
    yield* items;
    cursor = next;
  } while (cursor !== undefined);
}

async function* wholeHistory(
  read: (options: HistoryOptions) => Promise<HistoryPage>,
  options: HistoryOptions = {},
): AsyncGenerator<HistoryEvent> {
  const limit = options.limit ?? 1000;
  let after = options.after ?? -1;
  for (;;) {
    const { events, next } = await read({ ...options, after, limit });
    yield* events;
    if (events.length < limit) return;
    after = next;
  }
}

/** For optional properties, where "not given" and "given as undefined" are different types. */
function withoutUndefined(
  entry: { [Key in keyof StartEntry]: StartEntry[Key] | undefined } & { workflow: WorkflowReference },
): StartEntry {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)) as unknown as StartEntry;
}
