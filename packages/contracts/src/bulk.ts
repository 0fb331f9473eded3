import { z } from 'zod';
import { errorFingerprintZ } from './error-groups.ts';
import { idZ } from './ids.ts';
import { RUN_STATUSES } from './states.ts';
import { timestampZ } from './timestamps.ts';
import { waitFilterZ } from './wait-reasons.ts';

export const BULK_ACTIONS = ['cancel', 'retry', 'redrive', 'pause', 'resume'] as const;
export type BulkAction = (typeof BULK_ACTIONS)[number];

/** Runs that one bulk job takes at most. */
export const MAX_BULK_RUNS = 50_000;
/** Runs that can be named one by one. */
export const MAX_BULK_IDS = 1000;

export const bulkFilterZ = z
  .strictObject({
    status: z.enum(RUN_STATUSES).optional(),
    workflow: idZ.optional(),
    tag: idZ.optional(),
    waiting: waitFilterZ.optional(),
    error: errorFingerprintZ.optional(),
    from: timestampZ.optional(),
    to: timestampZ.optional(),
  })
  .refine((filter) => Object.values(filter).some((value) => value !== undefined), {
    message: 'an empty filter is refused: give at least one of status, workflow, tag, waiting, error, from, to',
  });
export type BulkFilter = z.infer<typeof bulkFilterZ>;

/** Runs by filter or by name. The runs are fixed when the job is created: what fits the filter later is not touched. */
export const startBulkZ = z
  .strictObject({
    action: z.enum(BULK_ACTIONS),
    filter: bulkFilterZ.optional(),
    ids: z.array(idZ).min(1).max(MAX_BULK_IDS).optional(),
    /** Kept with the job, and the reason of cancellations. */
    reason: z.string().min(1).max(500).optional(),
    /** Only count. */
    dryRun: z.boolean().default(false),
  })
  .refine((body) => (body.filter === undefined) !== (body.ids === undefined), {
    message: 'give either a filter or ids',
  });
export type StartBulk = z.input<typeof startBulkZ>;

export const bulkStartedZ = z.object({
  /** Absent with `dryRun`, and when there is nothing to do. */
  bulkId: z.string().optional(),
  /** Runs that it applies to: those that match and are in a state that the action is for; of `ids` each, whatever it is. */
  count: z.number(),
  /** With `dryRun`: some of them. */
  sample: z.array(z.string()).optional(),
});
export type BulkStarted = z.infer<typeof bulkStartedZ>;

/** `aborting`: asked to stop; what had been done stays done. */
export const BULK_STATES = ['running', 'aborting', 'aborted', 'done'] as const;
export type BulkState = (typeof BULK_STATES)[number];

export const bulkViewZ = z.object({
  bulkId: z.string(),
  action: z.enum(BULK_ACTIONS),
  state: z.enum(BULK_STATES),
  /** Runs that the action took effect on, or that needed nothing. */
  done: z.number(),
  failed: z.number(),
  total: z.number(),
  filter: z.record(z.string(), z.json()).optional(),
  reason: z.string().optional(),
  createdAt: z.number(),
  endedAt: z.number().optional(),
});
export type BulkView = z.infer<typeof bulkViewZ>;

/** Newest first, a hundred at most; ended jobs are kept as long as ended runs. */
export const bulkListZ = z.object({ bulks: z.array(bulkViewZ) });
export type BulkList = z.infer<typeof bulkListZ>;

export const BULK_OUTCOMES_OF_RUNS = [
  /** The action took effect. */
  'done',
  /** Nothing had to be done: cancelled before, paused before, … */
  'unchanged',
  /** `error` says why. */
  'failed',
  /** Its turn has not come, or never came because the job was aborted. */
  'not-tried',
] as const;

export const bulkItemZ = z.object({
  runId: z.string(),
  outcome: z.enum(BULK_OUTCOMES_OF_RUNS),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type BulkItem = z.infer<typeof bulkItemZ>;
export const bulkItemListZ = z.object({ items: z.array(bulkItemZ), cursor: z.string().optional() });
export type BulkItemList = z.infer<typeof bulkItemListZ>;
