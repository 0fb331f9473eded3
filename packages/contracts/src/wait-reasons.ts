import { z } from 'zod';

/**
 * Why a run waits, as the transitions index it. Some have a subject: `breaker:payments`. A run is listed under each reason
 * that holds at least one of its steps, and under `queued` when nothing of it is under way and nothing else holds it.
 */
export const WAIT_REASONS = [
  /** Ready, with no attempt under way: it waits for a worker, or for a scheduler to hand it out. */
  'queued',
  /** A step waits before its next attempt. */
  'backing-off',
  /** A step of kind `delay`. */
  'delay',
  /** Parked behind an open breaker; the subject is its name. */
  'breaker',
  /** Parked: no living worker has the handler. */
  'no-handler',
  /** Parked: the worker that took it could not compile the definition. */
  'definition-not-understood',
  /** Parked: only unhealthy agents could do it. */
  'agent-health',
  /** Parked: Redis is too full to hand out more. */
  'storage',
  /** A step waits for a signal; the subject is its name. */
  'signal',
  /** A step waits for a person's decision. */
  'approval',
  /** A step waits for a request to its address. */
  'webhook',
  /** A step waits for the end of a run that it has started. */
  'child-run',
  /** The run is paused. */
  'paused',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** `REASON` or `REASON:SUBJECT`. Reasons of later releases are legal: nothing waits for them. */
export const waitFilterZ = z
  .string()
  .regex(/^[a-z][a-z-]{0,31}(?::[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$/, 'expected REASON or REASON:SUBJECT');

export const waitViewZ = z.object({
  reason: z.string(),
  subject: z.string().optional(),
  /** Steps that it holds; absent when it holds the run as a whole. */
  steps: z.number().optional(),
});
export type WaitView = z.infer<typeof waitViewZ>;
