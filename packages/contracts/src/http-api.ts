import { z } from 'zod';
import { agentEventZ } from './agent-health.ts';
import { VERSION_PATTERN } from './definition.ts';
import { idZ, isLegalId, parseWorkflowReference } from './ids.ts';
import { retryPlanZ } from './retry-plan.ts';
import { CLEANUP_STATUSES, RUN_STATUSES } from './states.ts';
import {
  agentViewZ,
  checkpointViewZ,
  cleanupViewZ,
  durabilityZ,
  historyEventZ,
  stepErrorZ,
  stepViewZ,
} from './views.ts';

/** A step, or an item of a map: `notify[3]`. */
export const stepIdZ = z.string().min(1).max(150);

/** A registered workflow: its name, or `NAME@VERSION`. */
export const workflowReferenceZ = z.string().refine(
  (text) => {
    const { name, version } = parseWorkflowReference(text);
    return isLegalId(name) && (version === undefined || VERSION_PATTERN.test(version));
  },
  { error: 'expected the name of a workflow, or its name and version such as order@1.0.0' },
);

/** Bodies and answers of the HTTP API. Routes and statuses are in docs/reference/http-api.md. */
export const startRunZ = z.strictObject({
  /** `order`: its latest version; `order@1.0.0`: that one. */
  workflow: workflowReferenceZ.optional(),
  /** A definition or a legacy document; its form is checked by the compiler so that all problems are told at once. */
  definition: z.record(z.string(), z.unknown()).optional(),
  input: z.json().optional(),
  /** Any text up to 256 characters; the same key and body give the same run. */
  idempotencyKey: z.string().min(1).max(256).optional(),
  runId: idZ.optional(),
  tags: z.array(idZ).max(20).optional(),
  durability: durabilityZ.optional(),
});
export type StartRun = z.infer<typeof startRunZ>;

export const runStartedZ = z.object({
  runId: z.string(),
  status: z.enum(RUN_STATUSES),
  deduplicated: z.boolean(),
  durability: durabilityZ,
  /** For example handlers that no worker has now. */
  warnings: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })).optional(),
});
export type RunStarted = z.infer<typeof runStartedZ>;

export const MAX_BATCH_RUNS = 1000;
export const startRunsZ = z.strictObject({ runs: z.array(startRunZ).min(1).max(MAX_BATCH_RUNS) });

/** RFC 9457 problem document. */
export const problemDocumentZ = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  instance: z.string().optional(),
  retryAfterMs: z.number().optional(),
  /** True when the call may or may not have taken effect. */
  ambiguous: z.boolean().optional(),
  problems: z
    .array(
      z.object({
        code: z.string(),
        path: z.string(),
        message: z.string(),
        severity: z.enum(['error', 'warning']).optional(),
      }),
    )
    .optional(),
});
export type ProblemDocument = z.infer<typeof problemDocumentZ>;

/** One entry of a batch answer: either `started` or `problem`, in the order of the request. */
export const runsStartedZ = z.object({
  runs: z.array(z.union([runStartedZ, z.object({ error: problemDocumentZ })])),
});
export type RunsStarted = z.infer<typeof runsStartedZ>;

export const stepListZ = z.object({ steps: z.array(stepViewZ), cursor: z.string().optional() });
export type StepList = z.infer<typeof stepListZ>;
export const historyPageZ = z.object({ events: z.array(historyEventZ), next: z.number() });
export type HistoryPage = z.infer<typeof historyPageZ>;
export const checkpointListZ = z.object({ checkpoints: z.array(checkpointViewZ), cursor: z.string().optional() });
export type CheckpointList = z.infer<typeof checkpointListZ>;
export const agentListZ = z.object({ agents: z.array(agentViewZ) });
export type AgentList = z.infer<typeof agentListZ>;

/** Newest first; the fleet remembers the last thousand. */
export const agentEventListZ = z.object({ events: z.array(agentEventZ) });
export type AgentEventList = z.infer<typeof agentEventListZ>;

export const cleanupListZ = z.object({ cleanups: z.array(cleanupViewZ), cursor: z.string().optional() });
export type CleanupList = z.infer<typeof cleanupListZ>;

const cleanupNameZ = cleanupViewZ.pick({ number: true, stepId: true, kind: true, use: true });

/** Names that one list of a receipt has at most. */
export const MOST_LISTED_IN_RECEIPT = 10_000;
export const RECEIPT_LISTS = [
  ...([
    'stoppedSteps',
    'abandonedSteps',
    'finishedSteps',
    'lostSteps',
    'released',
    'compensated',
    'cleanedUp',
  ] as const),
  ...(['failedCleanups', 'pendingCleanups', 'pending'] as const),
] as const;

/** What a cancellation has done: the same for everybody who cancels the run, once it has ended. */
export const cancelReceiptZ = z.object({
  status: z.enum(RUN_STATUSES),
  receipt: z.object({
    runId: z.string(),
    requestedAt: z.number(),
    endedAt: z.number().optional(),
    /** How the run ends, or has ended: `cancelled` when the cancellation took effect. Decided also while `status` is `cancelling`. */
    outcome: z.enum(RUN_STATUSES),
    /** True when the cancellation came too late: how the run ends had been decided before, as `outcome` says. */
    alreadyEnded: z.boolean(),
    /** Steps whose running attempt was stopped. */
    stoppedSteps: z.array(z.string()),
    /** Those of them whose handler did not look at its AbortSignal: it may still go on outside. Absent when there are none. */
    abandonedSteps: z.array(z.string()).optional(),
    /** Steps whose attempt ended by itself after the request, as it would have without. */
    finishedSteps: z.array(z.string()),
    /** Steps whose attempt could not be stopped: its worker had died. */
    lostSteps: z.array(z.string()),
    /** Steps that were waiting for something and were let go: backing off, parked, delaying, or a map between items. */
    released: z.array(z.string()),
    /** Steps that have been compensated, in that order. */
    compensated: z.array(z.string()),
    /** Registered cleanups that have been made, in that order. */
    cleanedUp: z.array(z.object({ stepId: z.string(), use: z.string() })),
    /** Compensations and cleanups that have failed for good. */
    failedCleanups: z.array(cleanupNameZ.extend({ error: stepErrorZ.optional() })),
    /** Compensations and cleanups that had not ended when the answer was due, in the order in which they are made. */
    pendingCleanups: z.array(cleanupNameZ.extend({ status: z.enum(CLEANUP_STATUSES) })),
    /** Steps whose attempt had not ended when the answer was due. */
    pending: z.array(z.string()),
    /** How many names these lists leave out: of each the first 10,000 are told. Absent when they are whole. */
    omitted: z.partialRecord(z.enum(RECEIPT_LISTS), z.number()).optional(),
  }),
});
export type CancelReceipt = z.infer<typeof cancelReceiptZ>;

export const retryRunZ = z.strictObject({
  /** A step that is made anew with all that depends on it, even if it succeeded. */
  from: stepIdZ.optional(),
  /** Of the steps that failed only these are made again. Default: all. */
  steps: z.array(stepIdZ).min(1).max(1000).optional(),
  /** The opening whose end is retried, `opening` of the run or 1: the same request twice is one retry. */
  opening: z.number().int().min(1).optional(),
  /** Only say what it would do. */
  dryRun: z.boolean().optional(),
});
export type RetryRun = z.infer<typeof retryRunZ>;

export const runRetriedZ = z.object({
  runId: z.string(),
  status: z.enum(RUN_STATUSES),
  opening: z.number(),
  /** True when the run had been opened again before. */
  alreadyRetried: z.boolean(),
  /** Nothing was done: `opening` is the one that a retry would make, `status` how the run stands. */
  dryRun: z.literal(true).optional(),
  /** What is made again: of a dry run, and of a run that had been compensated. */
  plan: retryPlanZ.optional(),
});
export type RunRetried = z.infer<typeof runRetriedZ>;

export const workflowViewZ = z.object({
  name: z.string(),
  version: z.string().optional(),
  definitionHash: z.string(),
  registeredAt: z.number(),
  definition: z.json().optional(),
});
export type WorkflowView = z.infer<typeof workflowViewZ>;
/** What was forgotten: `deleted` versions. */
export const workflowDeletedZ = z.object({ name: z.string(), version: z.string().optional(), deleted: z.int() });
export type WorkflowDeleted = z.infer<typeof workflowDeletedZ>;
export const workflowListZ = z.object({ workflows: z.array(workflowViewZ), cursor: z.string().optional() });
export const workflowRegisteredZ = workflowViewZ.extend({
  created: z.boolean(),
  warnings: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })).optional(),
});
