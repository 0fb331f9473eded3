import type { Json } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { type OutgoingMessage, parseStepKey } from '@flotilla/state';
import type { ChannelDependencies } from './channel-steps.ts';

/** A committed attempt that has sent messages. */
export interface SendingAttempt {
  runId: string;
  key: string;
  fence: string;
}

/**
 * Puts what a committed attempt has sent into the channels, in its order. Where a channel is full, its messages stand in line
 * there. Repeating it is harmless: each message is sent with an id of its own, and none is left once all are there.
 */
export async function sendMessages(
  { state, channels }: ChannelDependencies,
  plan: Plan,
  { runId, key, fence }: SendingAttempt,
): Promise<void> {
  const run = state.run(runId);
  const messagesJson = await run.readOutgoing(key, fence);
  if (messagesJson === undefined) return;
  const messages = JSON.parse(messagesJson) as OutgoingMessage[];
  const stepId = stepIdOf(plan, key);
  for (const [index, { channel, bodyJson, ...message }] of messages.entries()) {
    const body = JSON.parse(bodyJson) as Json;
    const id = `${runId}/${stepId}/${fence}/${index}`;
    await channels.sendOrWait({ channel, body, id, by: `${runId}/${stepId}`, ...message }, { runId, key });
  }
  await state.transitions.messagesSent(run.address(key), fence);
}

function stepIdOf(plan: Plan, key: string): string {
  const { step, item } = parseStepKey(key);
  const stepId = plan.steps[step]?.id ?? String(step);
  return item === undefined ? stepId : `${stepId}[${item}]`;
}
