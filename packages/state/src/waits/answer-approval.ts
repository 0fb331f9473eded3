import { type ApprovalView, type DecideApproval, FlotillaError } from '@flotilla/contracts';
import type { Transitions } from '../transitions.ts';
import { type ApprovalReads, findApproval, readApproval } from './approvals.ts';

/**
 * Decides an approval, once. Errors: APPROVAL_NOT_FOUND, APPROVER_NOT_ALLOWED, APPROVAL_STALE (its digest is another one),
 * APPROVAL_DECIDED (with another decision; the same one again answers as the first did), RUN_NOT_ACTIVE.
 */
export async function decideApproval(
  reads: ApprovalReads,
  transitions: Transitions,
  id: string,
  { decision, reason, by = 'api', digest, tag, at }: DecideApproval & { tag: (runId: string) => string; at: number },
): Promise<ApprovalView> {
  const address = await findApproval(reads, id);
  const approval = address && (await readApproval(reads, address));
  if (address === undefined || approval === undefined) throw notFound(id);
  if (approval.approvers.length > 0 && !approval.approvers.includes(by)) {
    throw new FlotillaError('APPROVER_NOT_ALLOWED', `${by} may not decide this approval`);
  }
  if (digest !== undefined && digest !== approval.digest) {
    throw new FlotillaError('APPROVAL_STALE', `approval ${id} is about another action than the one with that digest`);
  }
  if (approval.status === 'decided') return repeated(approval, decision);
  const reply = await transitions.answerWait(
    { tag: tag(address.runId), ...address },
    {
      ...{ kind: 'approval', subject: '' },
      bodyJson: JSON.stringify({ decision, who: by, reason, at }),
      eventJson: JSON.stringify({ decision, by, digest: approval.digest }),
    },
  );
  if (reply === 'gone') throw notFound(id);
  const after = (await readApproval(reads, address)) ?? approval;
  if (reply === 'answered') return after;
  if (after.status === 'decided') return repeated(after, decision);
  throw new FlotillaError('RUN_NOT_ACTIVE', `approval ${id} is closed: its run has ended, or its deadline has passed`);
}

function repeated(approval: ApprovalView, decision: string): ApprovalView {
  if (approval.decision === decision) return approval;
  throw new FlotillaError('APPROVAL_DECIDED', `approval ${approval.id} was decided before: ${approval.decision}`);
}

function notFound(id: string): FlotillaError {
  return new FlotillaError('APPROVAL_NOT_FOUND', `there is no approval ${id}`);
}
