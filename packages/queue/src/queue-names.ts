import { FlotillaError, isLegalId } from '@flotilla/contracts';

/** Queue that steps go to which name none. */
export const DEFAULT_QUEUE = 'default';

/** Queue of the agents with a capability. */
export function capabilityQueue(capability: string): string {
  return `cap.${capability}`;
}

/** BullMQ's key prefix: each queue has a hash tag, and so a Cluster slot, of its own. */
export function queuePrefix(namespace: string, queue: string): string {
  if (!isLegalId(queue))
    throw new FlotillaError('VALIDATION_FAILED', `${JSON.stringify(queue)} is not a legal queue name`);
  return `{${namespace}:q:${queue}}`;
}

/** SET of the names of all queues that were ever sent to or taken from. */
export function queueListKey(namespace: string): string {
  return `{${namespace}}:queues`;
}
