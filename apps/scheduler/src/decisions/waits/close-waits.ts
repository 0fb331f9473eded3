import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';

/** Its run ends, or has ended: what waits is closed, and child runs are cancelled unless they are to be left. */
export async function closeWaits(state: State<Plan>, plan: Plan, runId: string): Promise<void> {
  const keys = plan.steps.flatMap(({ index, wait }) => (wait === undefined ? [] : [String(index)]));
  const open = await state.listOpenWaits(runId, keys);
  for (const { key, wait } of open) {
    const plannedWait = plan.steps[Number(key)]?.wait;
    if (plannedWait?.kind === 'workflow' && plannedWait.onParentEnd === 'cancel')
      await cancelChild(state, wait.subject);
  }
  const address = { tag: state.tagOf(runId), runId };
  await state.transitions.closeWaits(
    address,
    open.map(({ key }) => key),
  );
}

async function cancelChild(state: State<Plan>, runId: string): Promise<void> {
  try {
    await state.cancelRun(runId, 'the parent run has ended');
  } catch (error) {
    // It was not started, or has been pruned.
    if (!isFlotillaError(error) || error.code !== 'RUN_NOT_FOUND') throw error;
  }
}
