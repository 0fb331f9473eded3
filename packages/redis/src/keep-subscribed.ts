import { isCluster, type RedisClient } from './redis-client.ts';

/** A subscription that was refused (rights that were taken away, a server that loads) is asked for again after this. */
const AGAIN_AFTER_MS = 1000;

/**
 * Subscribes a connection of the role `subscriber` to a channel, and again after each reconnect until it is closed.
 * The client's own way of doing so passes a refusal to nobody, which ends the process.
 */
export async function keepSubscribed(client: RedisClient, channel: string): Promise<void> {
  await client.subscribe(channel);
  // A cluster's client has a connection of its own for that, and takes care.
  if (isCluster(client)) return;
  let timer: NodeJS.Timeout | undefined;
  const subscribe = (): void => {
    clearTimeout(timer);
    // Lost with its connection, it is asked for when the next one is ready.
    if (client.status !== 'ready') return;
    client.subscribe(channel).catch(() => {
      timer = setTimeout(subscribe, AGAIN_AFTER_MS).unref();
    });
  };
  client.on('ready', subscribe);
  client.once('end', () => clearTimeout(timer));
}
