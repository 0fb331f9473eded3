import { FlotillaError, type Json } from '@flotilla/contracts';
import { canonicalJson, sha256Hex } from './canonical-json.ts';
import type { Template } from './plan.ts';

/** Identifies what is approved: hex SHA-256 of its canonical JSON. */
export function approvalDigest(action: Json): string {
  return sha256Hex(canonicalJson(action));
}

/**
 * The same template, which only resolves to what the approval step has approved. Errors: APPROVAL_REJECTED when the decision
 * was another one, APPROVAL_STALE when something else was approved.
 */
export function guardByApproval(template: Template, approval: number, approvalId: string): Template {
  const reads = [...new Set([...template.reads, approval])].sort((left, right) => left - right);
  return {
    constant: false,
    expressions: template.expressions,
    reads,
    readsRunInput: template.readsRunInput,
    readsSecrets: template.readsSecrets,
    resolve(scope) {
      const value = template.resolve(scope);
      // Which secrets are used is approved, not what they are: the action that was approved is stored.
      const proposed = template.readsSecrets ? template.resolve({ ...scope, secret: undefined }) : value;
      assertApproved(proposed, scope.step(approval).output, approvalId);
      return value;
    },
  };
}

function assertApproved(value: Json, output: Json, approvalId: string): void {
  const { decision, digest } = (output ?? {}) as { decision?: Json; digest?: Json };
  if (decision !== 'approve') {
    throw new FlotillaError('APPROVAL_REJECTED', `${approvalId} has not approved this step's input`);
  }
  if (digest !== approvalDigest(value)) {
    const message = `${approvalId} approved something else than this step's input; ask for approval of what is to be done`;
    throw new FlotillaError('APPROVAL_STALE', message);
  }
}
