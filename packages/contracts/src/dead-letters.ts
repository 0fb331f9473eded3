import { z } from 'zod';
import { stepIdZ } from './http-api.ts';
import { idZ } from './ids.ts';
import { retryPlanZ } from './retry-plan.ts';
import { RUN_STATUSES } from './states.ts';
import { timestampQueryZ, timestampZ } from './timestamps.ts';
import { historyEventZ, stepErrorZ } from './views.ts';

/** `quarantined`: it ended its worker too often. `failed`: everything else. */
export const DEAD_LETTER_REASONS = ['failed', 'quarantined'] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

/** A step that failed for good, of a run that ended failed or timed out. Of a map it is the map, not each of its items. */
export const deadLetterViewZ = z.object({
  /** `run/step`. */
  id: z.string(),
  runId: z.string(),
  workflow: z.string(),
  version: z.string().optional(),
  stepId: z.string(),
  reason: z.enum(DEAD_LETTER_REASONS),
  /** The handler that it needs, of steps that a worker makes. */
  use: z.string().optional(),
  /** Attempts that failed. Those that were lost with their worker are counted in `crashes`. */
  attempts: z.number(),
  crashes: z.number().optional(),
  error: stepErrorZ,
  /** When the step failed for good. */
  failedAt: z.number(),
  /** When its run ended by it. */
  deadSince: z.number(),
  /** Which opening of the run it is of, 1 of a run that was never opened again. */
  opening: z.number(),
});
export type DeadLetterView = z.infer<typeof deadLetterViewZ>;

const filterFields = {
  workflow: idZ.optional(),
  stepId: stepIdZ.optional(),
  use: z.string().min(1).max(256).optional(),
  errorCode: z.string().min(1).max(256).optional(),
  errorType: z.string().min(1).max(64).optional(),
  reason: z.enum(DEAD_LETTER_REASONS).optional(),
};

/** All of them must fit. Times are milliseconds since 1970 on Redis' clock, both included, and are those of `deadSince`. */
const deadLetterFilterZ = z.strictObject({
  ...filterFields,
  since: timestampZ.optional(),
  until: timestampZ.optional(),
});
export type DeadLetterFilter = z.infer<typeof deadLetterFilterZ>;

export const listDeadLettersQueryZ = z.strictObject({
  ...filterFields,
  since: timestampQueryZ.optional(),
  until: timestampQueryZ.optional(),
  cursor: z.string().max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
export const deadLetterListZ = z.object({ deadLetters: z.array(deadLetterViewZ), cursor: z.string().optional() });
export type DeadLetterList = z.infer<typeof deadLetterListZ>;

/** A dead letter with what state knows of how it came about. */
export const deadLetterDetailZ = deadLetterViewZ.extend({
  run: z.object({
    status: z.enum(RUN_STATUSES),
    createdAt: z.number(),
    endedAt: z.number(),
    tags: z.array(z.string()),
    definitionHash: z.string(),
    /** Where the whole run is. */
    path: z.string(),
    input: z.json().optional(),
  }),
  /** As the definition says it, with its expressions: what they came to is not kept. */
  inputTemplate: z.json().optional(),
  /** Workers that attempts were lost with, the last at the end. */
  lostWith: z.array(z.string()).optional(),
  /** Of a map: its items that failed, the first twenty. */
  failedItems: z
    .array(
      z.object({
        stepId: z.string(),
        reason: z.enum(DEAD_LETTER_REASONS),
        error: stepErrorZ,
        item: z.json().optional(),
      }),
    )
    .optional(),
  /** What happened to the step (of a map: to those items, too), of every opening, the last hundred events. */
  events: z.array(historyEventZ),
  /** True when there were more events than are told or looked at. */
  eventsTruncated: z.boolean(),
});
export type DeadLetterDetail = z.infer<typeof deadLetterDetailZ>;

/** Of one. `opening` of the letter that the caller has seen: of an opening that has passed nothing is done. */
export const deadLetterActionZ = z.strictObject({ opening: z.number().int().min(1).optional() });

const letterNameZ = deadLetterViewZ.pick({ id: true, runId: true, stepId: true });

/** The same; `dryRun`: only say what it would do. */
export const redriveDeadLetterZ = deadLetterActionZ.extend({ dryRun: z.boolean().optional() });

export const deadLetterRedrivenZ = letterNameZ.extend({
  /**
   * `already-redriven`: its run had been opened again before; `status` says how it stands. `matched`: of a dry run, `opening` is the
   * one that a redrive would make.
   */
  outcome: z.enum(['redriven', 'already-redriven', 'matched']),
  /** Of the run. */
  status: z.enum(RUN_STATUSES),
  opening: z.number(),
  /** What is made again: of a dry run, and of a run that had been compensated. */
  plan: retryPlanZ.optional(),
});
export type DeadLetterRedriven = z.infer<typeof deadLetterRedrivenZ>;

export const deadLetterDiscardedZ = letterNameZ.extend({ outcome: z.enum(['discarded', 'already-discarded']) });
export type DeadLetterDiscarded = z.infer<typeof deadLetterDiscardedZ>;

export const MAX_BULK_DEAD_LETTERS = 1000;
const FILTER_NAMES = Object.keys(deadLetterFilterZ.shape) as (keyof DeadLetterFilter)[];

/** Of many, the oldest first. */
export const bulkDeadLettersZ = deadLetterFilterZ
  .extend({
    /** Needed to mean all dead letters: an empty filter is refused without. */
    all: z.boolean().optional(),
    /** The letters of one run are never divided: the last run may go over it. */
    limit: z.number().int().min(1).max(MAX_BULK_DEAD_LETTERS).default(100),
    /** Only say which. */
    dryRun: z.boolean().default(false),
  })
  .refine((body) => body.all === true || FILTER_NAMES.some((name) => body[name] !== undefined), {
    message: `give a filter (${FILTER_NAMES.join(', ')}), or "all": true`,
  });
export type BulkDeadLetters = z.input<typeof bulkDeadLettersZ>;

const BULK_OUTCOMES = [
  'redriven',
  'already-redriven',
  'discarded',
  'already-discarded',
  /** With `dryRun`. */
  'matched',
  /** `error` says why. */
  'failed',
  /** Something came between: the store was away, the scheduler or the caller ended. Asking again is safe. */
  'not-tried',
] as const;
export type BulkOutcome = (typeof BULK_OUTCOMES)[number];

export const bulkDeadLettersDoneZ = z.object({
  dryRun: z.boolean(),
  /** By outcome, those that there were. */
  counts: z.partialRecord(z.enum(BULK_OUTCOMES), z.number()),
  items: z.array(
    letterNameZ.extend({
      outcome: z.enum(BULK_OUTCOMES),
      /** Of the run that was opened again. */
      status: z.enum(RUN_STATUSES).optional(),
      opening: z.number().optional(),
      /** Of a redrive of a run that had been compensated: how much of it is made again. The same for all letters of a run. */
      again: retryPlanZ.shape.counts.optional(),
      error: z.object({ code: z.string(), message: z.string() }).optional(),
    }),
  ),
  /** True when more dead letters may fit the filter. */
  more: z.boolean(),
});
export type BulkDeadLettersDone = z.infer<typeof bulkDeadLettersDoneZ>;
