import { z } from 'zod';
import { idZ } from './ids.ts';
import type { ItemStepKind, WaitKind } from './wait-kinds.ts';

/** Longest time limit or delay: a year. Numbers are milliseconds. */
export const MAX_DURATION_MS = 31_536_000_000;
export const MAX_STEPS = 20_000;
export const MAX_MAP_ITEMS = 10_000;

const durationMsZ = z.int().min(1).max(MAX_DURATION_MS);
/** CEL source text. Parsed, cost-limited and checked for unknown names by the compiler. */
const expressionZ = z.string().min(1).max(4096);

/** A version of a workflow. */
export const VERSION_PATTERN = /^\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.-]{1,64})?$/;

export const retryPolicyZ = z.strictObject({
  maxAttempts: z.int().min(1).max(1000).optional(),
  initialMs: z.int().min(0).max(MAX_DURATION_MS).optional(),
  factor: z.number().min(1).max(100).optional(),
  maxMs: z.int().min(0).max(MAX_DURATION_MS).optional(),
  jitter: z.enum(['full', 'none']).optional(),
  maxElapsedMs: durationMsZ.optional(),
  rateLimitedMs: durationMsZ.optional(),
});
export type RetryPolicyInput = z.infer<typeof retryPolicyZ>;
/** A policy with every field decided. */
export type RetryPolicy = { [Field in keyof RetryPolicyInput]-?: Exclude<RetryPolicyInput[Field], undefined> };

/** No computed wait between two attempts is longer, unless the policy names a `maxMs` of its own. */
export const MAX_BACKOFF_MS = 30_000;

/** Defaults of a retry policy; a step's own fields win over the workflow's, which win over these. */
export const DEFAULT_RETRY_POLICY = {
  maxAttempts: 3,
  initialMs: 200,
  factor: 2,
  maxMs: MAX_BACKOFF_MS,
  jitter: 'full',
  maxElapsedMs: 86_400_000,
  rateLimitedMs: 3_600_000,
} as const satisfies RetryPolicy;

export const timeoutsZ = z.strictObject({
  /** From ready until an attempt starts. */
  queuedMs: durationMsZ.optional(),
  /** One attempt. Default 300000. */
  attemptMs: durationMsZ.optional(),
  /** Between two heartbeats of an attempt. */
  heartbeatMs: durationMsZ.optional(),
  /** From the first ready until settled, over all attempts. */
  totalMs: durationMsZ.optional(),
});
export type Timeouts = z.infer<typeof timeoutsZ>;
export const DEFAULT_ATTEMPT_MS = 300_000;

/** How a step that has succeeded is undone when its run does not: a handler's name, or that with settings of its own. */
export const compensationZ = z.strictObject({
  use: idZ,
  /** Default: the queue of the step. */
  queue: idZ.optional(),
  /** Default: the step's. */
  retry: retryPolicyZ.optional(),
  timeouts: z
    .strictObject({
      /** One attempt. Default: the step's. */
      attemptMs: durationMsZ.optional(),
      /** From when it is its turn until it has ended, over all attempts. Default 86400000. */
      totalMs: durationMsZ.optional(),
    })
    .optional(),
});
export type CompensationDefinition = z.infer<typeof compensationZ>;

/** A cleanup that has not ended after this long is given up, so that its run can end. */
export const DEFAULT_CLEANUP_TOTAL_MS = 86_400_000;

const common = {
  title: z.string().max(512).optional(),
  needs: z.array(idZ).max(MAX_STEPS).optional(),
  join: z.enum(['all', 'any', 'settled']).optional(),
  when: expressionZ.optional(),
};
/** The step's failure is not the run's: what needs it with `join: settled` deals with it. Of a map: see there. */
const tolerable = { tolerate: z.literal(true).optional() };
const work = {
  input: z.json().optional(),
  retry: retryPolicyZ.optional(),
  timeouts: timeoutsZ.optional(),
  breaker: idZ.optional(),
  queue: idZ.optional(),
  compensate: z
    .union([idZ, compensationZ], { error: 'expected the name of a handler, or { use, queue, retry, timeouts }' })
    .optional(),
  /** When progress that a step saved turns out to be damaged: fail it (default), go on from the last good one (and fail when
   * there is none), or from that or the beginning. */
  onCorruptCheckpoint: z.enum(['fail', 'fall-back', 'restart']).optional(),
  /** Tools the handler may use: `ctx.tool(name)` refuses others. Absent: no restriction. */
  toolAllowlist: z.array(idZ).max(1000).optional(),
  /** The approval step that must have approved exactly this step's input: APPROVAL_STALE, APPROVAL_REJECTED. */
  approvedBy: idZ.optional(),
  /** Declared cost, counted against `budget.costUSD`. */
  costUSD: z.number().min(0).max(1e9).optional(),
};

/** A status that can be the end of an exchange and is no success by itself. */
const failedStatusZ = z.int().min(300).max(599);
export const httpRequestZ = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).optional(),
  url: z.string().min(1).max(8192),
  headers: z.record(z.string().max(256), z.string().max(8192)).optional(),
  body: z.json().optional(),
  /** Statuses that are successes beside 2xx. */
  accept: z.array(failedStatusZ).max(100).optional(),
  /** Statuses, and codes of errors such as ENOTFOUND, that are retried although they are not by themselves. */
  retryOn: z
    .array(
      z.union([failedStatusZ, z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/)], {
        error: 'expected a status from 300 to 599, or the code of an error such as ENOTFOUND',
      }),
    )
    .max(100)
    .optional(),
});

const taskStepZ = z.strictObject({ kind: z.literal('task'), use: idZ, ...common, ...tolerable, ...work });
const agentStepZ = z.strictObject({ kind: z.literal('agent'), capability: idZ, ...common, ...tolerable, ...work });
const httpStepZ = z.strictObject({ kind: z.literal('http'), request: httpRequestZ, ...common, ...tolerable, ...work });
const delayStepZ = z.strictObject({
  kind: z.literal('delay'),
  /** Milliseconds, or `${{ }}` that gives them. Either this or `until`. */
  forMs: z.union([z.int().min(0).max(MAX_DURATION_MS), z.string().min(1).max(4096)]).optional(),
  /** A moment, ISO 8601 with a time zone or milliseconds since 1970, or `${{ }}` that gives it. */
  until: z.union([z.int().min(0), z.string().min(1).max(4096)]).optional(),
  ...common,
  ...tolerable,
});
const branchStepZ = z.strictObject({
  kind: z.literal('branch'),
  cases: z.array(z.strictObject({ when: expressionZ, to: idZ })).max(1000),
  otherwise: idZ.optional(),
  ...common,
  ...tolerable,
});
const eachZ = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('task'), use: idZ, title: common.title, ...work }),
  z.strictObject({ kind: z.literal('agent'), capability: idZ, title: common.title, ...work }),
  z.strictObject({ kind: z.literal('http'), request: httpRequestZ, title: common.title, ...work }),
]);
const mapStepZ = z.strictObject({
  kind: z.literal('map'),
  /** CEL that gives the list. */
  over: expressionZ,
  /** Name of the item in the expressions of `each`; `index` is always there. Default `item`. */
  as: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/)
    .optional(),
  /** Items that run at once. Default 10. */
  concurrency: z.int().min(1).max(MAX_MAP_ITEMS).optional(),
  each: eachZ,
  tolerate: z.strictObject({ failures: z.int().min(0).max(MAX_MAP_ITEMS) }).optional(),
  ...common,
});

/** How many items of a broadcast must succeed. */
export const quorumZ = z.union([z.enum(['all', 'any']), z.strictObject({ quorum: z.int().min(1).max(MAX_MAP_ITEMS) })]);
export type Quorum = z.infer<typeof quorumZ>;

/** Asks several at once; settles as soon as enough have succeeded, or too many have failed. */
const broadcastStepZ = z.strictObject({
  kind: z.literal('broadcast'),
  /** CEL that gives the list. Either this with `each`, or `capability` with `count`. */
  over: expressionZ.optional(),
  as: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/)
    .optional(),
  each: eachZ.optional(),
  /** The agents to ask: `count` of those with this capability, each with `input`. */
  capability: idZ.optional(),
  count: z.int().min(1).max(1000).optional(),
  input: z.json().optional(),
  /** Default all. */
  decide: quorumZ.optional(),
  ...common,
  ...tolerable,
});
/** Repeats one step until a condition holds, or `maxIterations` times. */
const loopStepZ = z.strictObject({
  kind: z.literal('loop'),
  maxIterations: z.int().min(1).max(MAX_MAP_ITEMS),
  /** CEL over `iteration.index` and `iteration.output`, evaluated after each iteration. */
  until: expressionZ.optional(),
  each: eachZ,
  ...common,
  ...tolerable,
});
/** How many agents or participants a step that takes turns may have, and how many turns. */
export const MAX_TURN_TAKERS = 100;
export const MAX_HOPS = 100;
export const MAX_TURNS = 500;

/** Agents take turns; each turn's output says which agent is next (`handoff`), or answers. */
const handoffStepZ = z.strictObject({
  kind: z.literal('handoff'),
  /** By name: to whom it may hand over. */
  agents: z.record(idZ, z.strictObject({ targets: z.array(idZ).max(MAX_TURN_TAKERS).optional() })),
  /** Who has the first turn. */
  start: idZ,
  /** Hand-offs, not turns: there is one turn more. */
  maxHops: z.int().min(1).max(MAX_HOPS),
  /** One turn, with `turn.agent`, `turn.from`, `turn.context`, `turn.output`, `turn.handoffs` and `turn.index`. */
  each: eachZ,
  ...common,
  ...tolerable,
});
/** Participants take turns; each sees what was said before. */
const conversationStepZ = z.strictObject({
  kind: z.literal('conversation'),
  participants: z.array(idZ).min(2).max(MAX_TURN_TAKERS),
  /** CEL over `turn` that names who is next. Absent: one after the other, in their order. */
  next: expressionZ.optional(),
  maxTurns: z.int().min(1).max(MAX_TURNS),
  /** CEL over `turn`, evaluated after each turn. */
  until: expressionZ.optional(),
  /** What a turn sees of the conversation, as JSON; the oldest turns are left out beyond it. Default 16384. */
  maxTranscriptBytes: z.int().min(256).max(262_144).optional(),
  /** One turn, with `turn.index`, `turn.speaker`, `turn.output`, `turn.transcript`, `turn.omitted` and `turn.speakers`. */
  each: eachZ,
  ...common,
  ...tolerable,
});
/** Waits until somebody sends the signal to the run; its output is what was sent. Holds no slot. */
const signalStepZ = z.strictObject({
  kind: z.literal('signal'),
  name: idZ,
  /** From ready until the signal comes; then the step takes `default`, or fails with WAIT_TIMEOUT. Default: no limit. */
  timeoutMs: durationMsZ.optional(),
  default: z.json().optional(),
  ...common,
  ...tolerable,
});
/** Waits until somebody approves or rejects `action`. Output: `{ decision, by, reason?, at }`. Holds no slot. */
const approvalStepZ = z.strictObject({
  kind: z.literal('approval'),
  /** What is proposed, with expressions. Steps with `approvedBy` run only with an input that is equal to it. */
  action: z.json(),
  /** Names of API keys that may decide. Default: every key that may write. */
  approvers: z.array(idZ).min(1).max(100).optional(),
  deadlineMs: durationMsZ.optional(),
  /** The decision at the deadline. Absent: the step fails with WAIT_TIMEOUT. */
  default: z.enum(['approve', 'reject']).optional(),
  ...common,
  ...tolerable,
});
/** Waits for a request to a URL of its own; its output is the body. Holds no slot. */
const webhookStepZ = z.strictObject({
  kind: z.literal('webhook'),
  timeoutMs: durationMsZ.optional(),
  default: z.json().optional(),
  ...common,
  ...tolerable,
});
/** Runs another workflow as a child; its output is the child's. Holds no slot. */
const workflowStepZ = z.strictObject({
  kind: z.literal('workflow'),
  /** `name` or `name@version` of a registered workflow. Either this or `definition`. */
  workflow: z.string().min(1).max(300).optional(),
  definition: z.record(z.string(), z.json()).optional(),
  input: z.json().optional(),
  /** What becomes of the child when this run ends before it. Default cancel. */
  onParentEnd: z.enum(['cancel', 'leave']).optional(),
  ...common,
  ...tolerable,
});

/** Sends a message to a channel, when there is room. Output: `{ seq }`. Holds no slot. */
const sendStepZ = z.strictObject({
  kind: z.literal('send'),
  channel: idZ,
  /** Messages of one key are ordered. A text with expressions. */
  key: z.string().max(512).optional(),
  message: z.json(),
  /** A step's message is sent when the step succeeds, so both are the same. */
  deliver: z.enum(['atCommit', 'immediate']).optional(),
  /** From ready until there is room. */
  timeoutMs: durationMsZ.optional(),
  ...common,
  ...tolerable,
});
/** Waits for messages of a channel; its output is the list of their bodies. Holds no slot. */
const receiveStepZ = z.strictObject({
  kind: z.literal('receive'),
  channel: idZ,
  /** Only messages of this key. Absent: of any one key. */
  key: z.string().max(512).optional(),
  /** At most so many at once. Default 1. */
  count: z.int().min(1).max(100).optional(),
  timeoutMs: durationMsZ.optional(),
  default: z.json().optional(),
  ...common,
  ...tolerable,
});

export const stepZ = z.discriminatedUnion('kind', [
  taskStepZ,
  agentStepZ,
  httpStepZ,
  delayStepZ,
  branchStepZ,
  mapStepZ,
  broadcastStepZ,
  loopStepZ,
  handoffStepZ,
  conversationStepZ,
  signalStepZ,
  approvalStepZ,
  webhookStepZ,
  workflowStepZ,
  sendStepZ,
  receiveStepZ,
]);
export type StepDefinition = z.infer<typeof stepZ>;
export type DelayStepDefinition = z.infer<typeof delayStepZ>;
/** Steps that attempts of workers make. */
export type WorkStepDefinition = Extract<StepDefinition, { kind: 'task' | 'agent' | 'http' }>;
/** Steps that make items: several attempts of one kind. */
export type ItemStepDefinition = Extract<StepDefinition, { kind: ItemStepKind }>;
/** Steps that wait for something from outside their run, without a worker. */
export type WaitStepDefinition = Extract<StepDefinition, { kind: WaitKind }>;
export type MapEachDefinition = z.infer<typeof eachZ>;
export type HttpRequestDefinition = z.infer<typeof httpRequestZ>;

export const STEP_KINDS = [
  'task',
  'agent',
  'http',
  'delay',
  'branch',
  'map',
  'broadcast',
  'loop',
  'handoff',
  'conversation',
  'signal',
  'approval',
  'webhook',
  'workflow',
  'send',
  'receive',
] as const;
export type StepKind = (typeof STEP_KINDS)[number];

export const channelZ = z.strictObject({
  /** `run`: each run has one of its own. Default deployment: all runs share it. */
  scope: z.enum(['run', 'deployment']).optional(),
  /** Bounds of what is not consumed. */
  maxMessages: z.int().min(1).max(100_000).optional(),
  maxBytes: z.int().min(1).max(67_108_864).optional(),
});
export type ChannelDefinition = z.infer<typeof channelZ>;

/** The form of a workflow definition. What it means (references, cycles, expressions) is checked by the compiler. */
export const definitionZ = z.strictObject({
  flotilla: z.literal(1),
  name: idZ,
  version: z.string().regex(VERSION_PATTERN, 'expected a version such as 1.0.0').optional(),
  title: z.string().max(512).optional(),
  description: z.string().max(10_000).optional(),
  /** JSON Schema of the run's input. */
  input: z.record(z.string(), z.json()).optional(),
  timeoutMs: durationMsZ.optional(),
  /** Default true. */
  failFast: z.boolean().optional(),
  retry: retryPolicyZ.optional(),
  timeouts: timeoutsZ.optional(),
  budget: z
    .strictObject({
      wallClockMs: durationMsZ.optional(),
      maxSteps: z.int().min(1).optional(),
      costUSD: z.number().min(0).optional(),
      /** What attempts tell that they have used. */
      tokens: z.int().min(1).optional(),
      /** When attempts have used more. Default `fail`. */
      onExceeded: z.enum(['fail', 'pause']).optional(),
    })
    .optional(),
  /** Channels with settings of their own. */
  channels: z.record(idZ, channelZ).optional(),
  steps: z.record(idZ, stepZ),
  output: z.json().optional(),
  metadata: z.record(z.string(), z.json()).optional(),
});

/** The same with steps of any form, for who looks at them one by one. */
export const definitionFrameZ = definitionZ.extend({ steps: z.record(z.string(), z.unknown()) });

export type WorkflowDefinition = z.infer<typeof definitionZ>;
