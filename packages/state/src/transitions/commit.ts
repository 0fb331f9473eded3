import { COMMIT_TRAIT } from '../format.ts';
import { packOwn, packShared } from '../pack-arguments.ts';
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
  /** Absent: the attempt has sent nothing and taken nothing. */
  channels?: CommittedChannelWork | undefined;
}

/** What an attempt has done with channels: it is done if and only if the attempt commits. */
export interface CommittedChannelWork {
  /** Stored names of the run's own channels among them. */
  ownChannels: readonly string[];
  /** `ChannelWork` as JSON, which a scheduler is given again: see `readChannelWork`. */
  workJson: string;
}

export type CommitReply =
  | { outcome: 'committed' }
  | { outcome: 'continued'; key: StepKey; attempt: ClaimedAttempt }
  | { outcome: 'rejected'; reason: string };

function traitsOf(a: CommitArguments): string {
  return (
    (a.hasTotalTimer ? COMMIT_TRAIT.totalLimit : '') +
    (a.endStep ? COMMIT_TRAIT.endStep : '') +
    (a.wantsInput ? COMMIT_TRAIT.wantsInput : '') +
    (a.compensated ? COMMIT_TRAIT.compensated : '') +
    (isItem(a.key) ? COMMIT_TRAIT.ofItems : '') +
    (a.channels === undefined ? '' : COMMIT_TRAIT.usesChannels)
  );
}

/** JSON has no line ends in it. */
function withWork(outputJson: string, { ownChannels, workJson }: CommittedChannelWork): string {
  return `${outputJson}\n${ownChannels.join(',')}\n${workJson}`;
}

export const commitTransitions = (batch: TransitionBatch) => ({
  async commit(a: CommitArguments): Promise<CommitReply> {
    const shared = packShared('commit', {
      runId: a.runId,
      worker: a.worker,
      traits: traitsOf(a),
      nextItemAttemptMs: a.nextItemAttemptMs,
      edges: edgeText(a.edges),
      sources: a.sources.join(','),
    });
    const own = packOwn('commit', {
      key: a.key,
      fence: a.fence - a.createdAt,
      attemptId: a.attemptId,
      output: a.channels === undefined ? a.outputJson : withWork(a.outputJson, a.channels),
      checkpoint: checkpointParts(a.checkpoint, a.createdAt),
      nextAttemptId: a.nextAttemptId,
    });
    const reply = await batch.applyHot(a.tag, 'commit', shared, own);
    if (reply[0] === 'committed') return { outcome: 'committed' };
    if (reply[0] === 'rejected') return { outcome: 'rejected', reason: reply[1]! };
    const [, key, ...numbers] = reply[0]!.split('|');
    return { outcome: 'continued', key: key!, attempt: claimedAttempt(reply, a.sources, a.createdAt, numbers) };
  },
});
