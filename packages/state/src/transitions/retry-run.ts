import { FlotillaError } from '@flotilla/contracts';
import { pack } from '../pack-arguments.ts';
import type { StepKey } from '../plan-shape.ts';
import type { TransitionBatch } from '../transition-batch.ts';

/** Fields of a run's hash that a retry takes away and sets; a few hundred at most, so that a script stays short. */
export interface ResetSlice {
  /** Steps whose timers end. */
  timersOf: StepKey[];
  remove: string[];
  set: (readonly [field: string, value: string | number])[];
}

/** An ended run is opened again, in slices. */
export const retryTransitions = (batch: TransitionBatch) => ({
  /**
   * Opens an ended run again. `seen`: the opening whose end the caller knows; when the run has been opened since, nothing
   * happens. RUN_NOT_FOUND; `refused` with the letter of a run that has not ended or that succeeded, or with `discarded`
   * when the selected steps must be dead letters and are not.
   */
  async retryRun(
    tag: string,
    runId: string,
    a: { seen: number | undefined; selectionJson: string; dataJson: string; mustBeDead?: boolean },
  ): Promise<{ reply: 'retried' | 'already'; opening: number; status: string } | { reply: 'refused'; status: string }> {
    // The script puts the opening's number in front of the data.
    const data = a.dataJson === '{}' ? '' : `,${a.dataJson.slice(1, -1)}`;
    const args = pack('retry-run', {
      runId,
      seenOpening: a.seen,
      selection: a.selectionJson,
      data,
      mustBeDead: a.mustBeDead === true ? 1 : undefined,
    });
    const [reply, second, third] = await batch.apply(tag, 'retry-run', args);
    if (reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    if (reply === 'refused') return { reply, status: second! };
    return { reply: reply as 'retried' | 'already', opening: Number(second), status: third! };
  },

  /** One slice of taking away what is to be made anew; false when the run is not being reopened (any more). */
  async resetSteps(tag: string, runId: string, opening: number, slice: ResetSlice): Promise<boolean> {
    const reply = await batch.apply(tag, 'reset-steps', [
      ...pack('reset-steps', { runId, opening, keyCount: slice.timersOf.length }),
      ...slice.timersOf,
      slice.remove.length,
      ...slice.remove,
      ...slice.set.flat(),
    ]);
    return reply[0] === 'reset';
  },

  async reopenRun(
    tag: string,
    runId: string,
    opening: number,
    a: { endPending: number; failureJson: string | undefined; timeoutMs: number | undefined },
  ): Promise<boolean> {
    const { endPending, failureJson, timeoutMs } = a;
    const args = pack('reopen-run', { runId, opening, endSteps: endPending, failure: failureJson, timeoutMs });
    return (await batch.apply(tag, 'reopen-run', args))[0] === 'reopened';
  },
});
