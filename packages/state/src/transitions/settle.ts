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
    const reply = await batch.apply(a.tag, 'settle', [
      a.runId,
      a.key,
      { succeeded: 'S', failed: 'F', skipped: 'K' }[a.state],
      a.checkpoint === undefined ? (a.reason ?? '') : checkpointParts(a.checkpoint, a.createdAt),
      a.bodyJson ?? '',
      a.from,
      flag(a.failFast),
      flag(a.endStep),
      a.timers,
      a.runErrorJson ?? '',
      edgeText(a.edges),
      a.opening ?? '',
    ]);
    return reply[0] === 'settled' ? 'settled' : reply[1]!;
  },
});
