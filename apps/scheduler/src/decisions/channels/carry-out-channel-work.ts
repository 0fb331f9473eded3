import type { Json } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { type ChannelWork, parseStepKey } from '@flotilla/state';
import type { ChannelDependencies } from './channel-steps.ts';

/** A committed attempt that has sent messages. */
export interface SendingAttempt {
  runId: string;
  key: string;
  fence: string;
}

/**
 * Acknowledges what a committed attempt has taken from channels, and puts what it has sent into them, in its order. Where a channel is full, its messages stand in line
 * there. Repeating it is harmless: each message is sent with an id of its own, and none is left once all are there.
 */
export async function carryOutChannelWork(
  { state, channels }: ChannelDependencies,
  plan: Plan,
  { runId, key, fence }: SendingAttempt,
): Promise<void> {
  const run = state.run(runId);
  const workJson = await run.readChannelWork(key, fence);
  if (workJson === undefined) return;
  const { sent, taken } = JSON.parse(workJson) as ChannelWork;
  for (const { channel, assignment } of taken) await channels.acknowledge(channel, assignment);
  const stepId = stepIdOf(plan, key);
  for (const [index, { channel, bodyJson, ...message }] of sent.entries()) {
    const body = JSON.parse(bodyJson) as Json;
    const id = `${runId}/${stepId}/${fence}/${index}`;
    await channels.sendOrWait({ channel, body, id, by: `${runId}/${stepId}`, ...message }, { runId, key });
  }
  await state.transitions.channelWorkDone(run.address(key), fence);
}

function stepIdOf(plan: Plan, key: string): string {
  const { step, item } = parseStepKey(key);
  const stepId = plan.steps[step]?.id ?? String(step);
  return item === undefined ? stepId : `${stepId}[${item}]`;
}
