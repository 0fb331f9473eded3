import type { RedisClient } from '@flotilla/redis';
import type { CreateRun } from '../create-runs.ts';
import type { PlanShape, StepKey } from '../plan-shape.ts';
import { State, type StateOptions } from '../state.ts';
import type { ClaimArguments } from '../transitions/claim.ts';
import type { ClaimedAttempt } from '../transitions/claimed-attempt.ts';
import type { CommitArguments } from '../transitions/commit.ts';
import type { FailArguments } from '../transitions/fail.ts';
import type { EdgeArgument } from '../transitions/groups-and-edges.ts';

/** State over plans that tests made by hand: a stored definition is found again by its name. */
export function createTestState(
  client: RedisClient,
  namespace: string,
  plans: readonly PlanShape[],
  options: Partial<StateOptions<PlanShape>> = {},
): State<PlanShape> {
  const compile = (text: string): PlanShape => {
    const { name } = JSON.parse(text) as { name: string };
    const plan = plans.find(({ definition }) => definition.name === name);
    if (plan === undefined) throw new Error(`no test has a plan ${name}`);
    return plan;
  };
  return new State({ client, namespace, partitions: 2, compile, ...options });
}

export function requestOf(plan: PlanShape, request: Partial<CreateRun> = {}): CreateRun {
  return { plan, inputJson: '{"n":1}', bodyHash: 'body', tags: [], durability: 'fast', ...request };
}

/** The moves of a worker on one run, with arguments that suit steps that nothing is special about. */
export class TestWorker {
  readonly #state: State<PlanShape>;
  readonly #runId: string;
  readonly #tag: string;
  readonly worker: string;

  constructor(state: State<PlanShape>, runId: string, worker = 'worker-1') {
    this.#state = state;
    this.#runId = runId;
    this.#tag = state.tagOf(runId);
    this.worker = worker;
  }

  get tag(): string {
    return this.#tag;
  }

  address(key: StepKey) {
    return { tag: this.#tag, runId: this.#runId, key };
  }

  claim(key: StepKey, attemptId: string, change: Partial<ClaimArguments> = {}) {
    return this.#state.transitions.claim({
      ...this.address(key),
      attemptId,
      worker: this.worker,
      group: 0,
      any: false,
      initial: 0,
      attemptMs: 60_000,
      wantsInput: false,
      hasQueuedTimer: false,
      sources: [],
      ...change,
    });
  }

  /** Claims, and throws when that is refused. */
  async take(key: StepKey, attemptId: string, change: Partial<ClaimArguments> = {}): Promise<ClaimedAttempt> {
    const reply = await this.claim(key, attemptId, change);
    if ('refused' in reply) throw new Error(`the claim of ${key} was refused: ${reply.refused}`);
    return reply.claimed;
  }

  commit(key: StepKey, attemptId: string, claimed: ClaimedAttempt, change: Partial<CommitArguments> = {}) {
    const { fence, createdAt } = claimed;
    return this.#state.transitions.commit({
      ...this.address(key),
      fence,
      createdAt,
      attemptId,
      worker: this.worker,
      outputJson: '1',
      checkpoint: { ts: createdAt, seq: 1, checksum: 'checksum', previous: '' },
      hasTotalTimer: false,
      endStep: true,
      wantsInput: false,
      sources: [],
      edges: [],
      ...change,
    });
  }

  fail(key: StepKey, attempt: FailArguments['attempt'], change: Partial<FailArguments> = {}) {
    const errorJson = '{"type":"non_retryable","code":"STEP_FAILED","message":"no"}';
    return this.#state.transitions.fail({
      ...this.address(key),
      attempt,
      event: 'attempt-failed',
      errorJson,
      failFast: false,
      tolerated: false,
      endStep: true,
      hasTotalTimer: false,
      parentKey: parentOf(key),
      runErrorJson: errorJson,
      edges: [],
      ...change,
    });
  }

  startMap(
    key: StepKey,
    items: number,
    change: Partial<{ concurrency: number; toleratedFailures: number; maxSteps: number }> = {},
  ) {
    const itemsJson = Array.from({ length: items }, (_, item) => String(item));
    const settings = { concurrency: 2, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 1, ...change };
    return this.#state.transitions.startMap(this.address(key), itemsJson, settings);
  }
}

function parentOf(key: StepKey): StepKey | undefined {
  return key.includes('.') ? key.slice(0, key.indexOf('.')) : undefined;
}

/** An edge into a group with one need, whose lone member may be gone on with. */
export function edgeTo(group: number, next?: EdgeArgument['next']): EdgeArgument {
  return { group, delta: 2 ** 17 - 1, initial: 1, any: false, next };
}

/** Types of a run's events, in order. */
export async function historyOf(state: State<PlanShape>, runId: string): Promise<string[]> {
  const { events } = await state.readHistory(runId, { after: -1, limit: 10_000 });
  return events.map(({ type }) => type);
}
