import type {
  HttpRequestDefinition,
  Json,
  Quorum,
  RetryPolicy,
  StepKind,
  WorkflowDefinition,
} from '@flotilla/contracts';
import type { EvaluationBudget } from './evaluation-budget.ts';

/**
 * What a definition compiles to. Steps and groups are numbers (their index) everywhere but at the edges: state keeps
 * them as `s<step>` and `g<group>` fields, so a plan's numbering is part of the stored form and must be a pure function
 * of the definition (order of `steps` in the document).
 */
export interface Plan {
  /** Hex SHA-256 of the canonical definition: the identity a run is pinned to. */
  hash: string;
  definition: WorkflowDefinition;
  /** About what the plan takes in memory; see `plan-bytes.ts`. */
  memoryBytes: number;
  steps: readonly PlanStep[];
  stepIndex: ReadonlyMap<string, number>;
  groups: readonly PlanGroup[];
  /** Groups whose needs are empty: ready when the run is created. At most one. */
  entryGroup: number | undefined;
  /** Steps that must have settled before the run can end: those that no `all` or `settled` join waits for. */
  endSteps: number;
  /** Longest path in steps. */
  depth: number;
  failFast: boolean;
  /** Smaller of `timeoutMs` and `budget.wallClockMs`. */
  timeoutMs: number | undefined;
  output: Template | undefined;
}

export type JoinRule = 'all' | 'any' | 'settled';

/** Steps with the same needs and join share one counter in the run; see `join-counter.ts`. */
export interface PlanGroup {
  index: number;
  join: JoinRule;
  /** True when the members are targets of branches: then `all` counts only chosen branch edges as successes. */
  branchTarget: boolean;
  /** Number of edges into the group: the counter's start value. */
  needs: number;
  members: readonly number[];
}

/** An edge out of a step: which group it counts down, and what a success counts as there. */
export interface PlanEdge {
  group: number;
  /** 'need': an ordinary need. 'branch': edge of a branch step to the group of `target`. */
  kind: 'need' | 'branch';
  /** Branch edges: the step this edge chooses. */
  target?: number;
}

export type WorkKind = 'task' | 'agent' | 'http';

/** What an attempt of a step (or of each item of a map) does. */
export interface PlanWork {
  kind: WorkKind;
  /** Handler name: `use` of a task, `flotilla.http` of an http step, `agent:<capability>` of an agent step. */
  use: string;
  capability: string | undefined;
  /** Task queue: the step's `queue`, `cap.<capability>` for agent steps, else `default`. */
  queue: string;
  input: Template | undefined;
  request: Template | undefined;
  /** Of an http step whose definition says how long an attempt may take: so long may its request. */
  requestTimeoutMs?: number;
  retry: RetryPolicy;
  timeouts: { attemptMs: number; queuedMs?: number; heartbeatMs?: number; totalMs?: number };
  breaker: string | undefined;
  /** What becomes of an attempt that finds damaged progress. */
  onCorruptCheckpoint: 'fail' | 'fall-back' | 'restart';
  /** What undoes it when the run does not succeed. */
  compensation: CleanupWork | undefined;
  toolAllowlist: readonly string[] | undefined;
  costUSD: number | undefined;
}

/** What an attempt of a compensation or of a registered cleanup does, and within which limits. */
export interface CleanupWork {
  use: string;
  queue: string;
  retry: RetryPolicy;
  timeouts: { attemptMs: number; totalMs: number };
  /** The step's: what undoes a call calls the same dependency. */
  breaker: string | undefined;
}

export interface PlanStep {
  index: number;
  id: string;
  title: string | undefined;
  kind: StepKind;
  /** Explicit needs plus the branches that name this step, as step indexes, ascending. */
  needs: readonly number[];
  /** The group that makes this step ready. */
  group: number;
  edges: readonly PlanEdge[];
  /** True when settling this step counts the end counter down. */
  endStep: boolean;
  when: Expression | undefined;
  /** Its failure is not the run's: what needs it with `settled` deals with it. */
  tolerated: boolean;
  /** task, agent, http; and the `each` of a map. */
  work: PlanWork | undefined;
  /** Of a delay whose length is known. */
  forMs: number | undefined;
  /** Of a delay that an expression, or a moment, decides on. */
  delay: PlanDelay | undefined;
  cases: readonly { when: Expression; to: number }[] | undefined;
  otherwise: number | undefined;
  map: PlanMap | undefined;
  /** signal, approval, webhook, workflow. */
  wait: PlanWait | undefined;
}

/** What a step waits for outside its run, and for how long. */
export type PlanWait =
  | { kind: 'signal'; name: string; timeoutMs: number | undefined; default: Json | undefined }
  | {
      kind: 'approval';
      action: Template;
      /** Empty: whoever may write. */
      approvers: readonly string[];
      timeoutMs: number | undefined;
      default: 'approve' | 'reject' | undefined;
    }
  | { kind: 'webhook'; timeoutMs: number | undefined; default: Json | undefined }
  | {
      kind: 'workflow';
      /** `name` or `name@version`; undefined: `definition`. */
      workflow: string | undefined;
      definition: Json | undefined;
      input: Template | undefined;
      onParentEnd: 'cancel' | 'leave';
      timeoutMs: undefined;
    }
  | { kind: 'send'; channel: PlanChannel; key: Template | undefined; message: Template; timeoutMs: number | undefined }
  | {
      kind: 'receive';
      channel: PlanChannel;
      key: Template | undefined;
      count: number;
      timeoutMs: number | undefined;
      default: Json | undefined;
    };

/** A channel that steps of a workflow use. */
export interface PlanChannel {
  name: string;
  scope: 'run' | 'deployment';
  maxMessages: number | undefined;
  maxBytes: number | undefined;
}

/** `for` gives milliseconds, `until` a moment: ISO 8601 with a time zone, or milliseconds since 1970. */
export interface PlanDelay {
  by: 'for' | 'until';
  value: Template;
}

/** The items of a map, broadcast or loop. */
export interface PlanMap {
  /** `map`: all items, failures as tolerated. `broadcast`: until `decide` is reached. `loop`: one after the other until `until`, or as `turns` says. */
  mode: 'map' | 'broadcast' | 'loop';
  /** Gives the items; undefined: `count` of them, or those of a loop. */
  over: Expression | undefined;
  as: string;
  concurrency: number;
  toleratedFailures: number;
  /** Of a broadcast of `count` agents. */
  count: number | undefined;
  decide: Quorum;
  until: Expression | undefined;
  maxIterations: number;
  /** Of a loop whose iterations are turns: who takes them. */
  turns: PlanTurns | undefined;
}

/** Who takes the turns of a `handoff` or a `conversation`. */
export type PlanTurns =
  | { form: 'handoff'; start: string; targets: ReadonlyMap<string, readonly string[]> }
  | {
      form: 'conversation';
      participants: readonly string[];
      /** Names who is next; undefined: one after the other. */
      next: Expression | undefined;
      maxTranscriptBytes: number;
    };

/** A compiled CEL expression. */
export interface Expression {
  source: string;
  /** Steps whose `output`, `status` or `error` it reads, as indexes, ascending. */
  reads: readonly number[];
  readsRunInput: boolean;
  /** Compiles it for an evaluation that is about to come: of many at once that is what takes time. */
  prepare(): void;
  /** `budget`: shared with what is evaluated together with it. Default: one of its own. */
  evaluate(scope: Scope, budget?: EvaluationBudget): Json;
}

/** JSON with `${{ cel }}` inside; resolved per attempt. */
export interface Template {
  /** True when nothing inside is an expression: `resolve` gives the constant. */
  constant: boolean;
  /** Those inside, in order. */
  expressions: readonly Expression[];
  reads: readonly number[];
  readsRunInput: boolean;
  /** `${{ secrets.NAME }}` is inside. */
  readsSecrets: boolean;
  resolve(scope: Scope): Json;
}

/** What expressions see. Getters are called only for what an expression names. */
export interface Scope {
  run: { id: string; input: Json; startedAt?: number };
  /** By step index; only steps in `reads` are asked for. */
  step(index: number): ScopeStep;
  /** Map items: the item under its name, and `index`. */
  item?: { name: string; value: Json; index: number };
  /** The value of a secret. Without it a secret resolves to its reference. */
  secret?: ((name: string) => string) | undefined;
}

export interface ScopeStep {
  status: string;
  output: Json;
  error?: { code: string; message: string } | undefined;
  /** Of a map that has succeeded: why items of it failed, in their order. */
  failures?: readonly ItemFailure[] | undefined;
}

export interface ItemFailure {
  index: number;
  code: string;
  message: string;
}

export type { HttpRequestDefinition };
