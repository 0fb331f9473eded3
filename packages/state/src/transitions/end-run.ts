import { FlotillaError } from '@flotilla/contracts';
import { errorArguments, NO_ERROR } from '../error-arguments.ts';
import { RUN } from '../format.ts';
import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';

export interface CancelReply {
  reply: 'cancelling' | 'already-cancelling' | 'ended';
  /** Letter of the run's status now, and of the one that it ends with. */
  status: string;
  outcome: string;
  /** When the cancellation that took effect came (Redis' clock); now, when none did. */
  requestedAt: number;
  /** Seq of its event in the history; absent when no cancellation took effect. */
  requestSeq?: number;
}

/** What ends a run that its steps do not end. */
export const endTransitions = (batch: TransitionBatch) => ({
  async cancelRun(tag: string, runId: string, reasonJson: string): Promise<CancelReply> {
    const [reply, status, at, seq, outcome] = await batch.apply(
      tag,
      'cancel-run',
      pack('cancel-run', { runId, reason: reasonJson }),
    );
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    const took = { reply: reply as CancelReply['reply'], status: status!, outcome: outcome!, requestedAt: Number(at) };
    return seq === '' ? took : { ...took, requestSeq: Number(seq) };
  },

  async timeOutRun(tag: string, runId: string, errorJson: string): Promise<void> {
    await batch.apply(
      tag,
      'time-out-run',
      pack('time-out-run', { runId, error: errorJson, ...errorArguments(errorJson) }),
    );
  },

  /** Ends a run that cannot go on because its definition is gone or damaged. One that is ending already goes on to end. */
  async failRun(tag: string, runId: string, errorJson: string, setAsideJson = ''): Promise<void> {
    const args = { runId, error: errorJson, setAside: setAsideJson, ...errorArguments(errorJson) };
    await batch.apply(tag, 'fail-run', pack('fail-run', args));
  },

  async finishRun(tag: string, runId: string, end: { outputJson: string } | { errorJson: string }): Promise<void> {
    const args =
      'outputJson' in end
        ? pack('finish-run', { runId, outcome: RUN.succeeded, result: end.outputJson, ...NO_ERROR })
        : pack('finish-run', { runId, outcome: RUN.failed, result: end.errorJson, ...errorArguments(end.errorJson) });
    await batch.apply(tag, 'finish-run', args);
  },
});
