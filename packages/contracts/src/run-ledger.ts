import { z } from 'zod';

/** What a run's time is spent on. At each moment it is one of them, the first of the list that applies. */
export const LEDGER_KINDS = [
  /** The run is paused. */
  'paused',
  /** At least one attempt is under way. */
  'running',
  /** Compensations and cleanups of a run that does not succeed. */
  'cleaning-up',
  /** Ready, handed out or about to be, and no worker has taken it. */
  'queued',
  /** Before the next attempt. */
  'backing-off',
  /** Parked; the subject is the gate: `breaker:payments`, `no-handler`, … */
  'parked',
  /** A step waits for something from outside; the subject is what: `signal:paid`, `approval`, `webhook`, `child-run`. */
  'waiting',
  /** A step of kind `delay`. */
  'delay',
  /** The run had ended, and was retried later. */
  'ended',
  /** None of them: Flotilla itself decides, writes, ends the run. */
  'overhead',
] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

export const ledgerPartZ = z.object({
  kind: z.enum(LEDGER_KINDS),
  subject: z.string().optional(),
  ms: z.number(),
});
export type LedgerPart = z.infer<typeof ledgerPartZ>;

export const runLedgerZ = z.object({
  runId: z.string(),
  /** From creation to end, or to now (`asOf`). */
  wallMs: z.number(),
  asOf: z.number(),
  /** Sums to `wallMs`, the longest first. */
  parts: z.array(ledgerPartZ),
  /** The chain of steps that decided when the run ended, the first step first: each waited for the one before it. */
  criticalPath: z.array(
    z.object({
      stepId: z.string(),
      /** When it could begin: its last need had settled. */
      readyAt: z.number(),
      startedAt: z.number().optional(),
      endedAt: z.number().optional(),
      /** From ready to end, or to now. */
      ms: z.number(),
    }),
  ),
  /** True when the history was longer than is read: the parts then cover only its beginning, the rest is `overhead`. */
  truncated: z.boolean(),
});
export type RunLedger = z.infer<typeof runLedgerZ>;
