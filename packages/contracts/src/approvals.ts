import { z } from 'zod';
import { idZ } from './ids.ts';

export const APPROVAL_STATUSES = ['pending', 'decided', 'closed'] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];
export const APPROVAL_DECISIONS = ['approve', 'reject'] as const;
export type ApprovalDecision = (typeof APPROVAL_DECISIONS)[number];

/** A question that a run has asked: may it do `action`? Times are milliseconds on Redis' clock. */
export const approvalViewZ = z.object({
  /** `runId.stepId`. */
  id: z.string(),
  runId: z.string(),
  stepId: z.string(),
  workflow: z.string(),
  /** `closed`: its run ended, or its deadline passed without a default. */
  status: z.enum(APPROVAL_STATUSES),
  action: z.json(),
  /** Hex SHA-256 of the action's canonical JSON: what is decided on, and nothing else. */
  digest: z.string(),
  /** Who may decide; empty: whoever may write. */
  approvers: z.array(z.string()),
  requestedAt: z.number(),
  deadlineAt: z.number().optional(),
  decision: z.enum(APPROVAL_DECISIONS).optional(),
  /** Who decided; `deadline` when nobody did in time. */
  by: z.string().optional(),
  reason: z.string().optional(),
  decidedAt: z.number().optional(),
});
export type ApprovalView = z.infer<typeof approvalViewZ>;

export const listApprovalsQueryZ = z.strictObject({
  status: z.enum(['pending', 'decided']).default('pending'),
  cursor: z.string().max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
export type ListApprovalsQuery = z.infer<typeof listApprovalsQueryZ>;
export const approvalListZ = z.object({ approvals: z.array(approvalViewZ), cursor: z.string().optional() });
export type ApprovalList = z.infer<typeof approvalListZ>;

export const decideApprovalZ = z.strictObject({
  decision: z.enum(APPROVAL_DECISIONS),
  reason: z.string().max(2000).optional(),
  /** Who decides. Default `api`. */
  by: idZ.optional(),
  /** The digest that was shown: refused as APPROVAL_STALE when the approval is about something else. */
  digest: z.string().length(64).optional(),
});
export type DecideApproval = z.infer<typeof decideApprovalZ>;
