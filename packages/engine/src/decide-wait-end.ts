import type { Json, StepError } from '@flotilla/contracts';
import type { PlanWait } from './plan.ts';

/** What ended a wait. Times are on Redis' clock. */
export type WaitAnswer =
  | { by: 'timeout'; at: number }
  /** A signal or webhook: what was sent. */
  | { by: 'message'; body: Json }
  | { by: 'decision'; decision: 'approve' | 'reject'; who: string; reason: string | undefined; at: number }
  /** A child run that has ended. */
  | { by: 'child'; runId: string; status: string; output: Json; error: StepError | undefined };

export type WaitEnd = { ok: true; output: Json } | { ok: false; error: StepError };

/** How a step that waited settles. `digest` is that of the action that an approval was asked for. */
export function decideWaitEnd(wait: PlanWait, answer: WaitAnswer, digest = ''): WaitEnd {
  switch (answer.by) {
    case 'message':
      return { ok: true, output: answer.body };
    case 'decision': {
      const { decision, who, reason, at } = answer;
      return { ok: true, output: { decision, by: who, at, digest, ...(reason !== undefined && { reason }) } };
    }
    case 'child':
      return endOfChild(answer);
    case 'timeout':
      return endOfTime(wait, answer.at, digest);
  }
}

function endOfTime(wait: PlanWait, at: number, digest: string): WaitEnd {
  if (wait.kind === 'approval' && wait.default !== undefined) {
    return { ok: true, output: { decision: wait.default, by: 'deadline', at, digest } };
  }
  if ('default' in wait && wait.kind !== 'approval' && wait.default !== undefined) {
    return { ok: true, output: wait.default };
  }
  const limit = wait.kind === 'approval' ? 'deadlineMs' : 'timeoutMs';
  const message = `no ${NAME_OF_ANSWER[wait.kind]} came within ${wait.timeoutMs} ms (${limit})`;
  return { ok: false, error: { type: 'timeout', code: 'WAIT_TIMEOUT', message } };
}

const NAME_OF_ANSWER = {
  signal: 'signal',
  approval: 'decision',
  webhook: 'request',
  workflow: 'result',
  send: 'room',
  receive: 'message',
} as const;

function endOfChild({ runId, status, output, error }: Extract<WaitAnswer, { by: 'child' }>): WaitEnd {
  if (status === 'succeeded') return { ok: true, output };
  const cause = error === undefined ? '' : `: ${error.code}: ${error.message}`;
  const message = `the child run ${runId} ended ${status}${cause}`;
  return { ok: false, error: { type: 'non_retryable', code: 'CHILD_RUN_FAILED', message } };
}
