import type { StepKey } from '../plan-shape.ts';
import type { StoredCheckpoint } from '../step-header.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import { type AttemptAddress, isItem } from './addresses.ts';
import { checkpointParts } from './argument-texts.ts';
import { type ClaimedAttempt, claimedAttempt } from './claimed-attempt.ts';
import { type EdgeArgument, edgeText } from './groups-and-edges.ts';

export interface CommitArguments extends AttemptAddress {
  worker: string;
  outputJson: string;
  checkpoint: StoredCheckpoint;
  hasTotalTimer: boolean;
  endStep: boolean;
  /** The step is compensated when its run does not succeed. */
  compensated?: boolean;
  /** The attempt that the worker goes on with; absent when it may not go on. */
  nextAttemptId?: string | undefined;
  /** What a continued attempt reads. */
  wantsInput: boolean;
  sources: readonly StepKey[];
  /** Map items: the time limit of the next item, if the worker may go on with that. */
  nextItemAttemptMs?: number | undefined;
  edges: readonly EdgeArgument[];
}

export type CommitReply =
  | { outcome: 'committed' }
  | { outcome: 'continued'; key: StepKey; attempt: ClaimedAttempt }
  | { outcome: 'rejected'; reason: string };

export const commitTransitions = (batch: TransitionBatch) => ({
  async commit(a: CommitArguments): Promise<CommitReply> {
    const { checkpoint } = a;
    const letters =
      (a.hasTotalTimer ? 't' : '') +
      (a.endStep ? 'e' : '') +
      (a.wantsInput ? 'i' : '') +
      (a.compensated ? 'c' : '') +
      (isItem(a.key) ? 'm' : '');
    const shared = [a.runId, a.worker, letters, a.nextItemAttemptMs ?? '', edgeText(a.edges), a.sources.join(',')];
    const reply = await batch.applyHot(a.tag, 'commit', shared, [
      a.key,
      a.fence - a.createdAt,
      a.attemptId,
      a.outputJson,
      checkpointParts(checkpoint, a.createdAt),
      a.nextAttemptId ?? '',
    ]);
    if (reply[0] === 'committed') return { outcome: 'committed' };
    if (reply[0] === 'rejected') return { outcome: 'rejected', reason: reply[1]! };
    const [, key, ...numbers] = reply[0]!.split('|');
    return { outcome: 'continued', key: key!, attempt: claimedAttempt(reply, a.sources, a.createdAt, numbers) };
  },
});
