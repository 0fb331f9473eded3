import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { StepAddress } from './addresses.ts';
import { flag } from './argument-texts.ts';
import { type EdgeArgument, edgeText } from './groups-and-edges.ts';

/** What follows an iteration of a loop. */
export const loopTransitions = (batch: TransitionBatch) => ({
  /** `budget`: another iteration would exceed it. `moved`: the loop has gone on, or ended, before. */
  async continueLoop(
    a: StepAddress,
    iteration: { iterations: number; itemJson: string; maxSteps: number | undefined; definitionSteps: number },
  ): Promise<'continued' | string> {
    const { iterations, itemJson: item, maxSteps, definitionSteps } = iteration;
    const args = pack('continue-loop', { runId: a.runId, key: a.key, iterations, item, maxSteps, definitionSteps });
    const reply = await batch.apply(a.tag, 'continue-loop', args);
    return reply[0] === 'continued' ? 'continued' : (reply[1] ?? 'moved');
  },

  async endLoop(
    a: StepAddress,
    end: { iterations: number; endedBy: string; endStep: boolean; edges: readonly EdgeArgument[] },
  ): Promise<void> {
    const { iterations, endedBy, endStep, edges } = end;
    const args = pack('end-loop', {
      ...{ runId: a.runId, key: a.key, iterations, endedBy },
      ...{ isEndStep: flag(endStep), edges: edgeText(edges) },
    });
    await batch.apply(a.tag, 'end-loop', args);
  },
});
