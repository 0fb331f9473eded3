import type { ApprovalDecision, ApprovalList, ApprovalView, Json, SignalSent } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { queryText, runPath } from './paths.ts';
import type { Transport } from './transport.ts';

export interface SignalOptions extends CallOptions {
  /** The same key sends the signal once. Default: a key of this call, so that repeating a lost call is harmless. */
  idempotencyKey?: string;
}

export interface ListApprovalsOptions extends CallOptions {
  /** Default pending. */
  status?: 'pending' | 'decided';
  cursor?: string;
  /** 1 to 500; default 50. */
  limit?: number;
}

export interface DecideOptions extends CallOptions {
  reason?: string;
  /** Who decides. */
  by?: string;
  /** Of the action that was shown: something else is refused as APPROVAL_STALE. */
  digest?: string;
}

/** What others than workers tell runs. */
export interface WaitCalls {
  /** RUN_NOT_FOUND, RUN_NOT_ACTIVE, SIGNALS_FULL. */
  signal(runId: string, name: string, body?: Json, options?: SignalOptions): Promise<SignalSent>;
  approvals(options?: ListApprovalsOptions): Promise<ApprovalList>;
  /** APPROVAL_NOT_FOUND. */
  approval(id: string, options?: CallOptions): Promise<ApprovalView>;
  /** APPROVAL_NOT_FOUND, APPROVAL_DECIDED, APPROVAL_STALE, APPROVER_NOT_ALLOWED, RUN_NOT_ACTIVE. */
  decide(id: string, decision: ApprovalDecision, options?: DecideOptions): Promise<ApprovalView>;
}

export function waitCalls(transport: Transport): WaitCalls {
  return {
    signal: async (runId, name, body = null, { idempotencyKey = crypto.randomUUID(), ...call } = {}) => {
      const { value } = await transport.call<SignalSent>({
        ...call,
        method: 'POST',
        path: `${runPath(runId)}/signals/${encodeURIComponent(name)}`,
        body: JSON.stringify(body),
        headers: { 'idempotency-key': idempotencyKey },
      });
      return value;
    },
    approvals: ({ status, cursor, limit, ...call } = {}) =>
      transport.get(`/v1/approvals${queryText({ status, cursor, limit })}`, call),
    approval: (id, call) => transport.get(pathOf(id), call),
    decide: (id, decision, { reason, by, digest, ...call } = {}) => {
      const body = {
        decision,
        ...(reason !== undefined && { reason }),
        ...(by !== undefined && { by }),
        ...(digest !== undefined && { digest }),
      };
      return transport.post(pathOf(id), body, call);
    },
  };
}

function pathOf(id: string): string {
  return `/v1/approvals/${encodeURIComponent(id)}`;
}
