import { isTransientRedisError, type RedisClient, retryTransient } from '@flotilla/redis';

/**
 * Ids of the runs whose steps wait at a channel, by the keys that its script keeps beside `meta`. Parts that are damaged are
 * passed over: this is asked when the channel cannot be used any more.
 */
export async function readWaitingRuns(client: RedisClient, meta: string, deadlineMs: number): Promise<string[]> {
  const read = (call: () => Promise<string[]>) => retryTransient(() => readableOf(call), { deadlineMs });
  const [receivers, senders, assigned, admitted] = await Promise.all([
    read(() => client.lrange(`${meta}:receivers`, 0, -1)),
    read(() => client.lrange(`${meta}:senders`, 0, -1)),
    read(() => client.hkeys(`${meta}:assigned`)),
    read(() => client.hkeys(`${meta}:admitted`)),
  ]);
  // Each but a sender's begins with `run|step key`.
  const steps = [...receivers, ...senders.map(stepOfSender), ...assigned, ...admitted];
  return [...new Set(steps.map((text) => text.split('|', 1)[0] ?? '').filter((runId) => runId !== ''))];
}

async function readableOf(call: () => Promise<string[]>): Promise<string[]> {
  try {
    return await call();
  } catch (error) {
    if (isTransientRedisError(error)) throw error;
    return [];
  }
}

function stepOfSender(stored: string): string {
  try {
    const { waiting } = JSON.parse(stored) as { waiting?: unknown };
    return typeof waiting === 'string' ? waiting : '';
  } catch {
    return '';
  }
}
