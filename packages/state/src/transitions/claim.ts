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
    const letters = (a.hasQueuedTimer ? 'w' : '') + (isItem(a.key) ? 'm' : '');
    const group = `${a.group}|${joinLetter(a)}|${a.initial}|${a.attemptMs}|${letters}`;
    const shared = [a.runId, a.worker, flag(a.wantsInput), group, a.sources.join(',')];
    const reply = await batch.applyHot(a.tag, 'claim', shared, [a.key, a.attemptId]);
    if (reply[0] === 'refused') return { refused: reply[1] as ClaimRefusal };
    const [, fence, now, created, ...numbers] = reply[0]!.split('|');
    const createdAt = Number(created);
    return { claimed: claimedAttempt(reply, a.sources, createdAt, [fence, now, ...numbers]) };
  },
});
