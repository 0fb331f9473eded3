import { z } from 'zod';
import { AGENT_HEALTH_REASONS, AGENT_INTAKES, AGENT_STATUSES, agentPerformanceZ } from './agent-health.ts';
import { CLEANUP_STATUSES, EVENT_TYPES, RUN_STATUSES, STEP_STATUSES } from './states.ts';
import { WAIT_KINDS } from './wait-kinds.ts';
import { waitViewZ } from './wait-reasons.ts';

/** Why something failed: `type` is the class of error that decide-retry worked with. */
export const stepErrorZ = z.object({
  type: z.string(),
  code: z.string(),
  message: z.string(),
  /** Where a handler threw it and its causes, without secrets, at most 3 KB. Not of runs, nor in lists of dead letters. */
  stack: z.string().optional(),
});
export type StepError = z.infer<typeof stepErrorZ>;

export const durabilityZ = z.enum(['fast', 'replicated', 'fsynced']);
export type Durability = z.infer<typeof durabilityZ>;

/** Times are milliseconds since 1970 on Redis' clock. */
export const runViewZ = z.object({
  runId: z.string(),
  workflow: z.string(),
  version: z.string().optional(),
  definitionHash: z.string(),
  status: z.enum(RUN_STATUSES),
  createdAt: z.number(),
  endedAt: z.number().optional(),
  /** How many times the run has been opened, of one that was retried: 2 after the first retry. */
  opening: z.number().optional(),
  input: z.json().optional(),
  output: z.json().optional(),
  error: stepErrorZ.extend({ stepId: z.string().optional() }).optional(),
  tags: z.array(z.string()),
  /** The OpenTelemetry trace that it stands in, 32 hexadecimal digits. In lists only of runs whose caller brought a trace. */
  traceId: z.string().optional(),
  /** Why it waits, of a run that has not ended: each reason that holds a step of it, or the run. Absent when there is none. */
  waiting: z.array(waitViewZ).optional(),
  /** Steps of the definition, items of maps apart. `settled` is absent while a run of more than 2,000 steps goes on. */
  counts: z.object({ steps: z.number(), settled: z.number().optional(), running: z.number() }).optional(),
  /** Of a run that is ending or has ended without success: its compensations and registered cleanups. */
  cleanups: z
    .object({
      registered: z.number(),
      /** Have not ended yet. */
      left: z.number(),
      failed: z.number(),
      /** How the run will end, or has ended. */
      outcome: z.enum(['failed', 'cancelled', 'timed-out']),
    })
    .optional(),
});
export type RunView = z.infer<typeof runViewZ>;

export const stepViewZ = z.object({
  stepId: z.string(),
  title: z.string().optional(),
  kind: z.string(),
  status: z.enum(STEP_STATUSES),
  /** Attempts charged: failures plus the current or successful one. Lost ones are counted in `lost`. */
  attempts: z.number(),
  lost: z.number().optional(),
  startedAt: z.number().optional(),
  endedAt: z.number().optional(),
  /** When it came into its status, unless it is waiting. */
  since: z.number().optional(),
  worker: z.string().optional(),
  /** The handler that it needs: `use` of a task, `flotilla.http`, `agent:<capability>` of an agent step. */
  use: z.string().optional(),
  /** The capability that an agent step asks for. */
  capability: z.string().optional(),
  /** The task queue that it waits in for a worker. */
  queue: z.string().optional(),
  needs: z.array(z.string()).optional(),
  /** Of a turn of a handoff or conversation: the agent or participant that has it. */
  turnOf: z.string().optional(),
  output: z.json().optional(),
  error: stepErrorZ.optional(),
  /** Why it is skipped, parked, cancelled …: `when-false`, `not-chosen`, `upstream-skipped`, `upstream-failed`, `no-handler`, `definition-not-understood`, `agent-health`, `storage` … */
  reason: z.string().optional(),
  /** Of the attempt under way: what it gave its last heartbeat, and when that came. */
  progress: z.json().optional(),
  progressAt: z.number().optional(),
  /** Next try of a backing-off step. */
  nextAttemptAt: z.number().optional(),
  /** What it waits for outside its run. */
  wait: z
    .object({
      kind: z.enum(WAIT_KINDS),
      /** Name of the signal, id of the approval, path of the webhook, id of the child run. */
      subject: z.string(),
      /** When its time is over. */
      until: z.number().optional(),
    })
    .optional(),
});
export type StepView = z.infer<typeof stepViewZ>;

export const cleanupViewZ = z.object({
  /** From 0, in the order of registration; they are made in the reverse order. */
  number: z.number(),
  /** The step that is undone, or whose attempt has registered it. */
  stepId: z.string(),
  /** `compensation`: what the step names in `compensate`. `registered`: what `ctx.registerCleanup` was given. */
  kind: z.enum(['compensation', 'registered']),
  /** The handler that makes it. */
  use: z.string(),
  status: z.enum(CLEANUP_STATUSES),
  attempts: z.number(),
  lost: z.number().optional(),
  startedAt: z.number().optional(),
  endedAt: z.number().optional(),
  worker: z.string().optional(),
  error: stepErrorZ.optional(),
  /** Why it is parked. */
  reason: z.string().optional(),
  nextAttemptAt: z.number().optional(),
});
export type CleanupView = z.infer<typeof cleanupViewZ>;

export const historyEventZ = z.object({
  /** Index in the history, from 0, without gaps. */
  seq: z.number(),
  at: z.number(),
  type: z.enum(EVENT_TYPES),
  stepId: z.string().optional(),
  attempt: z.number().optional(),
  attemptId: z.string().optional(),
  fence: z.number().optional(),
  worker: z.string().optional(),
  /** Of `cleanup-…` events: which cleanup of the run, from 0. */
  cleanup: z.number().optional(),
  data: z.record(z.string(), z.json()).optional(),
});
export type HistoryEvent = z.infer<typeof historyEventZ>;

export const checkpointViewZ = z.object({
  version: z.number(),
  /**
   * `result`: what the step committed. `progress`: what an attempt saved for the next one, the last three of them.
   * `set-aside`: progress that was found damaged, and is not used.
   */
  kind: z.enum(['result', 'progress', 'set-aside']),
  runId: z.string(),
  stepId: z.string(),
  seq: z.number(),
  fence: z.number(),
  ts: z.number(),
  previous: z.string(),
  checksum: z.string(),
  verified: z.boolean(),
  /** Why it is not verified. */
  problem: z.string().optional(),
});
export type CheckpointView = z.infer<typeof checkpointViewZ>;

export const agentViewZ = z.object({
  agentId: z.string(),
  workerId: z.string(),
  host: z.string(),
  pid: z.number(),
  status: z.enum(AGENT_STATUSES),
  /** Why it has this status, unless it is healthy and always was. */
  reason: z.enum(AGENT_HEALTH_REASONS).optional(),
  /** Since when, on Redis' clock; when it was started, if it has been healthy ever since. */
  since: z.number(),
  /** How much work it takes now. */
  intake: z.enum(AGENT_INTAKES),
  performance: agentPerformanceZ,
  version: z.string(),
  capabilities: z.array(z.string()),
  queues: z.array(z.string()),
  handlers: z.array(z.string()),
  /** `slots`: attempts at once, as configured. `limit`: as many as it takes now, fewer while it is short of something. */
  load: z.object({ running: z.number(), slots: z.number(), limit: z.number().optional(), loopLagMs: z.number() }),
  startedAt: z.number(),
  lastSeenAt: z.number(),
});
export type AgentView = z.infer<typeof agentViewZ>;
