import type { Plan } from '@flotilla/engine';
import type { StoredWait } from '@flotilla/state';
import { type ChannelDependencies, leaveChannel } from '../channels/channel-steps.ts';
import { cancelChild } from './cancel-child.ts';

/**
 * Its run ends, or has ended: what waits is closed, child runs are cancelled unless they are to be left, and steps that wait
 * at channels leave them. A child that is being started meanwhile is cancelled by who starts it.
 */
export async function closeWaits(dependencies: ChannelDependencies, plan: Plan, runId: string): Promise<void> {
  const { state } = dependencies;
  const keys = plan.steps.flatMap(({ index, wait }) => (wait === undefined ? [] : [String(index)]));
  const open = await state.listOpenWaits(runId, keys);
  for (const { key, wait } of open) await withdraw(dependencies, plan, { runId, key, wait });
  const address = { tag: state.tagOf(runId), runId };
  await state.transitions.closeWaits(
    address,
    open.map(({ key }) => key),
  );
}

async function withdraw(
  { state, channels }: ChannelDependencies,
  plan: Plan,
  { runId, key, wait }: { runId: string; key: string; wait: StoredWait },
): Promise<void> {
  const planned = plan.steps[Number(key)]?.wait;
  if (planned?.kind === 'workflow' && planned.onParentEnd === 'cancel') await cancelChild(state, wait.subject);
  if (planned?.kind === 'send' || planned?.kind === 'receive') await leaveChannel(channels, planned, { runId, key });
}
