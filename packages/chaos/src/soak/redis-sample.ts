import { within } from '@flotilla/local-fleet';

export interface RedisSample {
  /** Wall clock. */
  at: number;
  memoryBytes: number;
  keys: number;
  /** The append-only file: rewritten from time to time. */
  aofBytes: number;
  clients: number;
}

interface Client {
  info(section: string): Promise<string>;
  dbsize(): Promise<number>;
}

const ANSWER_MS = 2000;

/** Undefined while Redis is away, which it is when that is the fault. */
export async function sampleRedis(client: Client): Promise<RedisSample | undefined> {
  const read = Promise.all([
    client.info('memory'),
    client.info('persistence'),
    client.info('clients'),
    client.dbsize(),
  ]);
  try {
    const [memory, persistence, clients, keys] = await within(read, ANSWER_MS, 'a sample of Redis');
    const field = (text: string, name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]);
    return {
      at: Date.now(),
      memoryBytes: field(memory, 'used_memory'),
      keys,
      aofBytes: field(persistence, 'aof_current_size'),
      clients: field(clients, 'connected_clients'),
    };
  } catch {
    return undefined;
  }
}
