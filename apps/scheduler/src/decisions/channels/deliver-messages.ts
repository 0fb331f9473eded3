import type { Delivery } from '@flotilla/channels';
import type { Logger } from '@flotilla/telemetry';
import { failDamaged } from '../fail-damaged.ts';
import { tryOften } from '../try-often.ts';
import { answerStep } from './answer-step.ts';
import type { ChannelDependencies } from './channel-steps.ts';

export interface DeliverDependencies extends ChannelDependencies {
  logger: Logger;
}

/** Tells the steps that wait at a channel what they have got. Repeating it is harmless. */
export async function deliverMessages(dependencies: DeliverDependencies, channel: string): Promise<void> {
  const { channels } = dependencies;
  for (;;) {
    const deliveries = await channels.deliver(channel);
    if (deliveries.length === 0) {
      if ((await releaseLost(dependencies, channel)) === 0) return;
      continue;
    }
    for (const delivery of deliveries) {
      const isTaken = await tellStep(dependencies, delivery);
      if (delivery.kind === 'admit') await channels.confirm(channel, delivery.step);
      else if (isTaken) await channels.acknowledge(channel, delivery.assignment);
      else await channels.release(channel, delivery.assignment);
    }
  }
}

/** What attempts hold that cannot commit any more, as their worker has died, is for others. */
function releaseLost({ state, channels }: DeliverDependencies, channel: string): Promise<number> {
  return channels.releaseLost(channel, ({ runId, key, fence }) => state.run(runId).holdsTaken(key, fence));
}

/** Whether the step has taken it. A run that cannot be told is damaged and fails; its messages go to the next. */
async function tellStep({ state, logger }: DeliverDependencies, delivery: Delivery): Promise<boolean> {
  const { step } = delivery;
  const tried = await tryOften(() => answerStep(state, step, contentOf(delivery)));
  if ('done' in tried) return tried.done;
  logger.error({ ...step, error: tried.error }, 'could not deliver channel messages to a step');
  await failDamaged({ runId: step.runId }, { state, logger });
  return false;
}

function contentOf(delivery: Delivery): Parameters<typeof answerStep>[2] {
  if (delivery.kind === 'admit') return { kind: 'send', body: { seq: delivery.seq }, id: `sent-${delivery.seq}` };
  const { assignment, messages } = delivery;
  return { kind: 'receive', body: messages.map(({ body }) => body), id: assignment.split('|').at(-1) ?? '' };
}
