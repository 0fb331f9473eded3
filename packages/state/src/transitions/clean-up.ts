import { FlotillaError } from '@flotilla/contracts';
import { errorArguments } from '../error-arguments.ts';
import { STEP } from '../format.ts';
import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import { type AttemptAddress, attemptArguments, type StepAddress } from './addresses.ts';
import { type ClaimedAttempt, claimedAttempt } from './claimed-attempt.ts';

export interface ClaimedCleanup {
  claimed: ClaimedAttempt;
  /** What is stored of the step that it belongs to. */
  step: { header: string; output: string };
  /** How the run ends: `c|error` cancelled, `f|error` failed, `t|error` timed out. */
  ending: string;
}

export interface CleanupEnd {
  /** Absent: its time is over, whoever makes it. */
  attempt?: { fence: number; createdAt: number; attemptId: string };
  becomes: 'succeeded' | 'failed' | 'retried' | 'released' | 'parked';
  /** Error of a failure; `{ reason }` of a release, and of parking (letters, digits, `-`, `.`, `:`, `_`). */
  dataJson?: string;
  /** Which handler failed. */
  handler?: string;
  /** Of what is tried again or parked. */
  retryInMs?: number;
}

const BECOMES = {
  succeeded: STEP.succeeded,
  failed: STEP.failed,
  retried: STEP.backingOff,
  released: STEP.ready,
  parked: STEP.parked,
} as const;

export type RetryCleanupReply =
  | { reply: 'retried' | 'already' | 'gone' }
  /** `busy` with the number of the other one, `none`, `not-failed`, or the letter of the run's status. */
  | { reply: 'refused'; why: string; other: string | undefined };

export const cleanUpTransitions = (batch: TransitionBatch) => ({
  /** The cleanup's number; undefined when the attempt was superseded. @throws FlotillaError CLEANUP_REFUSED */
  async registerCleanup(
    a: AttemptAddress,
    { use, inputJson, digest }: { use: string; inputJson: string; digest: string },
  ): Promise<number | undefined> {
    const args = pack('register-cleanup', { ...attemptArguments(a), use, input: inputJson, digest });
    const [reply, number] = await batch.apply(a.tag, 'register-cleanup', args);
    if (reply === 'refused') throw new FlotillaError('CLEANUP_REFUSED', 'the step has registered too many cleanups');
    return reply === 'registered' ? Number(number) : undefined;
  },

  /** Has a cleanup of an ended run made again that failed for good. */
  async retryCleanup(tag: string, runId: string, number: number): Promise<RetryCleanupReply> {
    const [reply, why, other] = await batch.apply(tag, 'retry-cleanup', pack('retry-cleanup', { runId, number }));
    if (reply === 'retried' || reply === 'already' || reply === 'gone') return { reply };
    return { reply: 'refused', why: why!, other };
  },

  async claimCleanup(
    a: StepAddress,
    { attemptId, worker, attemptMs }: { attemptId: string; worker: string; attemptMs: number },
  ): Promise<ClaimedCleanup | { refused: string }> {
    const args = pack('claim-cleanup', { runId: a.runId, key: a.key, attemptId, worker, attemptMs });
    const reply = await batch.apply(a.tag, 'claim-cleanup', args);
    if (reply[0] === 'refused') return { refused: reply[1]! };
    const [, fence, now, created, ...numbers] = reply[0]!.split('|');
    const [, inputJson = '', itemJson = '', header = '', output = '', ending = ''] = reply;
    const claimed = claimedAttempt([], [], Number(created), [fence, now, ...numbers]);
    return { claimed: { ...claimed, inputJson, itemJson }, step: { header, output }, ending };
  },

  /** False when the attempt was superseded, or the cleanup had ended. */
  async endCleanup(a: StepAddress, end: CleanupEnd): Promise<boolean> {
    const { attempt, becomes } = end;
    const args = pack('end-cleanup', {
      runId: a.runId,
      key: a.key,
      fence: attempt && attempt.fence - attempt.createdAt,
      attemptId: attempt?.attemptId,
      becomes: BECOMES[becomes],
      data: end.dataJson,
      delayMs: end.retryInMs,
      ...errorArguments(end.dataJson, end.handler),
    });
    const reply = await batch.apply(a.tag, 'end-cleanup', args);
    return reply[0] === 'ended';
  },
});
