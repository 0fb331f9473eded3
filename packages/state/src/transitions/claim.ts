import { CLAIM_TRAIT } from '../format.ts';
import { packOwn, packShared } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import { isItem, type StepAddress } from './addresses.ts';
import { flag } from './argument-texts.ts';
import { type ClaimedAttempt, claimedAttempt } from './claimed-attempt.ts';
import { joinLetter, type StepGroup } from './groups-and-edges.ts';

export type ClaimRefusal = 'gone' | 'cancelled' | 'paused' | 'leased' | 'settled' | 'not-due';
export type ClaimReply = { claimed: ClaimedAttempt } | { refused: ClaimRefusal };

export interface ClaimArguments extends StepAddress, StepGroup {
  attemptId: string;
  worker: string;
  attemptMs: number;
  wantsInput: boolean;
  hasQueuedTimer: boolean;
  sources: readonly StepKey[];
}

export const claimTransitions = (batch: TransitionBatch) => ({
  async claim(a: ClaimArguments): Promise<ClaimReply> {
    const traits = (a.hasQueuedTimer ? CLAIM_TRAIT.queuedLimit : '') + (isItem(a.key) ? CLAIM_TRAIT.ofItems : '');
    const shared = packShared('claim', {
      runId: a.runId,
      worker: a.worker,
      wantsInput: flag(a.wantsInput),
      group: `${a.group}|${joinLetter(a)}|${a.initial}|${a.attemptMs}|${traits}`,
      sources: a.sources.join(','),
    });
    const reply = await batch.applyHot(
      a.tag,
      'claim',
      shared,
      packOwn('claim', { key: a.key, attemptId: a.attemptId }),
    );
    if (reply[0] === 'refused') return { refused: reply[1] as ClaimRefusal };
    const [, fence, now, created, ...numbers] = reply[0]!.split('|');
    const createdAt = Number(created);
    return { claimed: claimedAttempt(reply, a.sources, createdAt, [fence, now, ...numbers]) };
  },
});
