import { z } from 'zod';
import { ERROR_GROUP_STATES } from './error-groups.ts';
import { idZ } from './ids.ts';
import { VERDICTS } from './report.ts';
import { runCountsZ } from './run-list.ts';
import { RUN_STATUSES } from './states.ts';
import { historyEventZ } from './views.ts';
import { waitViewZ } from './wait-reasons.ts';

/** Runs whose history one stream may follow. */
export const MAX_FOLLOWED_RUNS = 20;

/**
 * `GET /v1/events`: one stream per browser (server-sent events), at most four frames a second. `id` of a frame is what
 * `Last-Event-ID` resumes behind: nothing that happened since is missing, some may come twice.
 */
export const EVENT_TOPICS = ['runs', 'counts', 'errors', 'report'] as const;
export type EventTopic = (typeof EVENT_TOPICS)[number];

export const eventFeedQueryZ = z.strictObject({
  /** Comma-separated; default `runs`. */
  topics: z.string().max(100).optional(),
  /** Run ids, comma-separated: their history is sent too, event by event. */
  follow: z.string().max(4000).optional(),
  /** Only changes of runs of this workflow or with this tag; `counts` follows it. */
  workflow: idZ.optional(),
  tag: idZ.optional(),
});

/** `event: runs`. What has become of runs that changed since the last frame: each once, as it is now. */
export const runChangeZ = z.object({
  runId: z.string(),
  workflow: z.string(),
  status: z.enum(RUN_STATUSES),
  createdAt: z.number(),
  endedAt: z.number().optional(),
  changedAt: z.number(),
  tags: z.array(z.string()),
  waiting: z.array(waitViewZ).optional(),
});
export type RunChange = z.infer<typeof runChangeZ>;

export const runsFrameZ = z.object({
  changes: z.array(runChangeZ),
  /** True: more changed than a frame holds; read the list again. */
  overflow: z.boolean(),
});
export type RunsFrame = z.infer<typeof runsFrameZ>;

/** `event: history`. Of one followed run, in order and without gaps. `ended`: nothing will follow. */
export const historyFrameZ = z.object({
  runId: z.string(),
  events: z.array(historyEventZ),
  ended: z.boolean(),
});
export type HistoryFrame = z.infer<typeof historyFrameZ>;

/** `event: counts`, when they have changed. */
export const countsFrameZ = runCountsZ;

/** `event: errors`. Groups that occurred since the last frame. */
export const errorsFrameZ = z.object({
  errors: z.array(
    z.object({
      fingerprint: z.string(),
      state: z.enum(ERROR_GROUP_STATES),
      count: z.number(),
      lastSeenAt: z.number(),
    }),
  ),
});
export type ErrorsFrame = z.infer<typeof errorsFrameZ>;

/** `event: report`, when the verdict or the findings have changed. */
export const reportFrameZ = z.object({ verdict: z.enum(VERDICTS), summary: z.string(), findings: z.number() });
export type ReportFrame = z.infer<typeof reportFrameZ>;
