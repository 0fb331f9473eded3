import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { boundCalls } from '../bounded-api.ts';

/** What the HTTP edge needs of steps that wait for something from outside their run. */
export type WaitApi = Pick<
  State<Plan>,
  'sendSignal' | 'answerWebhook' | 'listApprovals' | 'readApproval' | 'decideApproval'
>;

/** The same with a deadline on every call, and typed errors. */
export function boundWaits(waits: WaitApi, deadlineMs: number): WaitApi {
  return {
    ...boundCalls(waits, ['sendSignal', 'answerWebhook', 'decideApproval'], deadlineMs, true),
    ...boundCalls(waits, ['listApprovals', 'readApproval'], deadlineMs, false),
  };
}
