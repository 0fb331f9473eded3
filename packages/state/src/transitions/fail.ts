import type { EventType } from '@flotilla/contracts';
import { errorArguments } from '../error-arguments.ts';
import { EVENT_CODES } from '../event-codes.ts';
import { STEP, TOLERATED } from '../format.ts';
import { pack } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { StepAddress } from './addresses.ts';
import { flag } from './argument-texts.ts';
import { type EdgeArgument, edgeText } from './groups-and-edges.ts';

export interface FailArguments extends StepAddress {
  /** The attempt that failed; or the states (letters of headers, `-` for none yet) in which the scheduler ends the step. */
  attempt: { fence: number; createdAt: number; attemptId: string } | { from: string };
  /** See `FiredStep`; absent: because of something else. */
  opening?: number | undefined;
  event: Extract<EventType, 'attempt-failed' | 'attempt-timed-out' | 'attempt-lost'>;
  errorJson: string;
  /** Whose attempt failed: part of what tells groups of errors apart. Absent where no handler is involved. */
  handler?: string | undefined;
  /** Absent: the step has failed for good. */
  retryInMs?: number | undefined;
  /** The attempt was ended by a rate limit: counted apart, too. */
  isRateLimited?: boolean;
  failFast: boolean;
  /** The step's failure is not the run's. */
  tolerated: boolean;
  endStep: boolean;
  hasTotalTimer: boolean;
  parentKey?: StepKey | undefined;
  /** The run's error if this ends it. */
  runErrorJson: string;
  quarantine?: boolean;
  /** A lost attempt had a process to itself, which ended while the worker lived. */
  alone?: boolean;
  edges: readonly EdgeArgument[];
  /** Map items: what the map's success would count. */
  successEdges?: readonly EdgeArgument[];
}

export type FailReply =
  | { outcome: 'retry'; at: number }
  | { outcome: 'failed' }
  | { outcome: 'cancelled' }
  | { outcome: 'rejected'; reason: string };

export const failTransitions = (batch: TransitionBatch) => ({
  async fail(a: FailArguments): Promise<FailReply> {
    const { attempt } = a;
    const args = pack('fail', {
      runId: a.runId,
      key: a.key,
      fence: 'from' in attempt ? undefined : attempt.fence - attempt.createdAt,
      attemptIdOrStates: 'from' in attempt ? attempt.from : attempt.attemptId,
      event: EVENT_CODES[a.event],
      error: a.errorJson,
      delayMs: a.retryInMs,
      failFast: a.tolerated ? TOLERATED : flag(a.failFast),
      isEndStep: flag(a.endStep),
      hasTotalLimit: flag(a.hasTotalTimer),
      parent: a.parentKey,
      runError: a.runErrorJson,
      finalState: a.quarantine ? STEP.quarantined : STEP.failed,
      edges: edgeText(a.edges),
      successEdges: edgeText(a.successEdges ?? []),
      wasAlone: flag(a.alone ?? false),
      opening: a.opening,
      isRateLimited: flag(a.isRateLimited ?? false),
      ...errorArguments(a.errorJson, a.handler),
    });
    const reply = await batch.apply(a.tag, 'fail', args);
    if (reply[0] === 'retry') return { outcome: 'retry', at: Number(reply[1]) };
    if (reply[0] === 'rejected') return { outcome: 'rejected', reason: reply[1]! };
    return { outcome: reply[0] as 'failed' | 'cancelled' };
  },
});
