import { z } from 'zod';

/** Of handler, code and normalised message; see the engine's error-fingerprint. */
export const errorFingerprintZ = z.string().regex(/^[0-9a-f]{16}$/, 'expected a fingerprint: 16 of 0-9 a-f');

/** `back`: it was resolved, and has occurred since. */
export const ERROR_GROUP_STATES = ['open', 'resolved', 'ignored', 'back'] as const;
export type ErrorGroupState = (typeof ERROR_GROUP_STATES)[number];

/** Failures with one cause, as far as their texts say: what varies in the message (numbers, ids, quoted texts) is left out. */
export const errorGroupZ = z.object({
  fingerprint: errorFingerprintZ,
  code: z.string(),
  type: z.string(),
  /** The handler whose attempts failed; absent where no handler was involved (an expression, a run's time limit). */
  handler: z.string().optional(),
  /** With `…` in the place of what varies. */
  message: z.string(),
  /** Failed attempts, and failures without an attempt. */
  count: z.number(),
  firstSeenAt: z.number(),
  lastSeenAt: z.number(),
  state: z.enum(ERROR_GROUP_STATES),
  /** When somebody last resolved or ignored it. */
  stateSince: z.number().optional(),
  /** The newest run that it occurred in. */
  exampleRunId: z.string().optional(),
  /** Runs that it occurred in and that have not been pruned. */
  runs: z.number(),
});
export type ErrorGroup = z.infer<typeof errorGroupZ>;

export const listErrorsQueryZ = z.strictObject({
  state: z.enum(ERROR_GROUP_STATES).optional(),
  cursor: z.string().max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});

/** The one seen last comes first. */
export const errorGroupListZ = z.object({ errors: z.array(errorGroupZ), cursor: z.string().optional() });
export type ErrorGroupList = z.infer<typeof errorGroupListZ>;

export const ERROR_GROUP_ACTIONS = ['resolve', 'ignore', 'reopen'] as const;
export type ErrorGroupAction = (typeof ERROR_GROUP_ACTIONS)[number];
