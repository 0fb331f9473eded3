import type { RedisClient } from '@flotilla/redis';
import { OUTBOX } from './format.ts';
import { RELAY_GROUP, stateKey } from './keys.ts';

/**
 * Puts lines of an outbox entry back at its end, for whichever scheduler reads them next, and then drops the entry. Repeated,
 * or interrupted between, the lines are there twice, which is harmless.
 */
export async function handOnEntry(
  client: RedisClient,
  tag: string,
  { id, lines }: { id: string; lines: readonly string[] },
): Promise<void> {
  const outbox = stateKey(tag, 'outbox');
  await client.xadd(outbox, '*', OUTBOX.field, lines.join('\n'));
  await client.xack(outbox, RELAY_GROUP, id);
  await client.xdel(outbox, id);
}
