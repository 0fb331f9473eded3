import type { WorkflowDefinition } from '@flotilla/contracts';
import type { PlanChannel } from './plan.ts';

/** A channel as a definition sets it up; one that it does not mention is of the deployment. */
export function planChannel(channels: WorkflowDefinition['channels'], name: string): PlanChannel {
  const { scope = 'deployment', maxMessages, maxBytes } = channels?.[name] ?? {};
  return { name, scope, maxMessages, maxBytes };
}
