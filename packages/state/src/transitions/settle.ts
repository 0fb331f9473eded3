import { errorArguments, NO_ERROR } from '../error-arguments.ts';
import { STEP } from '../format.ts';
import { pack } from '../pack-arguments.ts';
import type { StoredCheckpoint } from '../step-header.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { StepAddress } from './addresses.ts';
import { checkpointParts, flag } from './argument-texts.ts';
import { type EdgeArgument, edgeText } from './groups-and-edges.ts';

export interface SettleArguments extends StepAddress {
  state: 'succeeded' | 'failed' | 'skipped';
  checkpoint?: StoredCheckpoint | undefined;
  reason?: string | undefined;
  /** Output or error. */
  bodyJson?: string | undefined;
  /** The handler of the step, when it has failed. */
  handler?: string | undefined;
  /** Header states it may be in now; `-` for none. */
  from: string;
  failFast: boolean;
  endStep: boolean;
  /** See `FiredStep`; absent: because of something else. */
  opening?: number | undefined;
  /** Timers to end, letters of the due index. */
  timers: string;
  runErrorJson?: string | undefined;
  edges: readonly EdgeArgument[];
}

/** Steps that a scheduler settles. */
export const settleTransitions = (batch: TransitionBatch) => ({
  /** Settled, or the state that refused it. */
  async settle(a: SettleArguments & { createdAt: number }): Promise<'settled' | string> {
    const args = pack('settle', {
      runId: a.runId,
      key: a.key,
      state: STEP[a.state],
      detail: a.checkpoint === undefined ? a.reason : checkpointParts(a.checkpoint, a.createdAt),
      body: a.bodyJson,
      from: a.from,
      failFast: flag(a.failFast),
      isEndStep: flag(a.endStep),
      timers: a.timers,
      runError: a.runErrorJson,
      edges: edgeText(a.edges),
      opening: a.opening,
      ...(a.state === 'failed' ? errorArguments(a.bodyJson, a.handler) : NO_ERROR),
    });
    const reply = await batch.apply(a.tag, 'settle', args);
    return reply[0] === 'settled' ? 'settled' : reply[1]!;
  },
});
