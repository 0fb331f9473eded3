import { isCluster, type RedisClient } from '@flotilla/redis';
import { OUTBOX } from './format.ts';
import { RELAY_GROUP, stateKey } from './keys.ts';

export interface OutboxOptions {
  /** A connection of its own: reading blocks. */
  blocking: RedisClient;
  /** Name of who reads, one of the group that all schedulers are. */
  reader: string;
  /** Entries that are read at once. */
  count: number;
  /** How long a read waits for entries. On a Cluster it does not wait. */
  blockMs: number;
}

/** An entry as it was read: each line of it asks for something, see `parseOutboxLine`. */
export interface OutboxMessage {
  /** Begins with the Redis milliseconds at which it was written. */
  id: string;
  lines: readonly string[];
  /** How many have read it before, and gone without acknowledging it. */
  readBefore: number;
}

/** What was read of one partition's outbox. */
export interface PartitionMessages {
  tag: string;
  messages: readonly OutboxMessage[];
}

type StreamEntry = [id: string, fields: string[] | null];
type StreamReply = [key: string, entries: StreamEntry[]][] | null;

/**
 * The outboxes of all partitions, as one of the schedulers reads them: they are one consumer group. What was read is
 * acknowledged by the transition `dispatched`; until then others take it over when its reader does not hold it.
 */
export class Outbox {
  readonly #client: RedisClient;
  readonly #options: OutboxOptions;
  readonly #keys: readonly string[];
  readonly #tagOfKey: ReadonlyMap<string, string>;
  #hasGroups = false;

  constructor(client: RedisClient, tags: readonly string[], options: OutboxOptions) {
    this.#client = client;
    this.#options = options;
    this.#keys = tags.map((tag) => stateKey(tag, 'outbox'));
    this.#tagOfKey = new Map(tags.map((tag) => [stateKey(tag, 'outbox'), tag]));
  }

  /** Entries that nobody has read. */
  async read(): Promise<PartitionMessages[]> {
    const { blocking } = this.#options;
    return this.#withGroups(async () => {
      if (!isCluster(blocking)) return this.#toMessages((await this.#readBlocking()) ?? []);
      const replies = await Promise.all(this.#keys.map((key) => this.#readOne(key)));
      return this.#toMessages(replies.flatMap((reply) => reply ?? []));
    });
  }

  /** Entries whose reader has neither acknowledged nor held them for this long: it died, or repeats itself. */
  async takeOver(idleMs: number): Promise<PartitionMessages[]> {
    const { reader, count } = this.#options;
    return this.#withGroups(async () => {
      const found = await Promise.all(
        this.#keys.map(async (key): Promise<[string, StreamEntry[]]> => {
          const claim = ['0', 'COUNT', count] as const;
          const reply = await this.#client.xautoclaim(key, RELAY_GROUP, reader, idleMs, ...claim);
          return [key, (reply as [string, StreamEntry[]])[1]];
        }),
      );
      return this.#withReaders(this.#toMessages(found));
    });
  }

  /** Claims what is ours already, which sets its idle time to 0. What has been acknowledged stays so. */
  async hold({ tag, messages }: PartitionMessages): Promise<void> {
    const ids = messages.map(({ id }) => id);
    await this.#client.call('XCLAIM', stateKey(tag, 'outbox'), RELAY_GROUP, this.#options.reader, 0, ...ids, 'JUSTID');
  }

  /**
   * Puts lines of an entry back at the outbox's end, for whichever scheduler reads them next, and then drops the entry.
   * Repeated, or interrupted between, the lines are there twice, which is harmless.
   */
  async handOn(tag: string, { id, lines }: Pick<OutboxMessage, 'id' | 'lines'>): Promise<void> {
    const outbox = stateKey(tag, 'outbox');
    await this.#client.xadd(outbox, '*', OUTBOX.field, lines.join('\n'));
    await this.#client.xack(outbox, RELAY_GROUP, id);
    await this.#client.xdel(outbox, id);
  }

  /** Redis counts how often an entry was given to a reader. */
  async #withReaders(partitions: PartitionMessages[]): Promise<PartitionMessages[]> {
    return Promise.all(
      partitions.map(async ({ tag, messages }) => {
        const [first, last] = [messages[0]!.id, messages.at(-1)!.id];
        // Others' entries may stand between.
        const most = messages.length + 1000;
        const pending = await this.#client.xpending(stateKey(tag, 'outbox'), RELAY_GROUP, first, last, most);
        const given = new Map((pending as [string, string, number, number][]).map(([id, , , times]) => [id, times]));
        return { tag, messages: messages.map((one) => ({ ...one, readBefore: (given.get(one.id) ?? 1) - 1 })) };
      }),
    );
  }

  async #withGroups<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#hasGroups) await this.#createGroups();
    try {
      return await work();
    } catch (error) {
      // The outboxes vanished (another database, a flush): their groups must be made again.
      if (error instanceof Error && error.message.startsWith('NOGROUP')) this.#hasGroups = false;
      throw error;
    }
  }

  async #createGroups(): Promise<void> {
    await Promise.all(
      this.#keys.map(async (key) => {
        try {
          await this.#client.xgroup('CREATE', key, RELAY_GROUP, '0', 'MKSTREAM');
        } catch (error) {
          if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
        }
      }),
    );
    this.#hasGroups = true;
  }

  #readOne(key: string): Promise<StreamReply> {
    const { blocking, reader, count } = this.#options;
    return blocking.xreadgroup(
      'GROUP',
      RELAY_GROUP,
      reader,
      'COUNT',
      count,
      'STREAMS',
      key,
      '>',
    ) as Promise<StreamReply>;
  }

  #readBlocking(): Promise<StreamReply> {
    const { blocking, reader, count, blockMs } = this.#options;
    const streams = [...this.#keys, ...this.#keys.map(() => '>')];
    const settings = ['COUNT', count, 'BLOCK', blockMs] as const;
    return blocking.xreadgroup(
      'GROUP',
      RELAY_GROUP,
      reader,
      ...settings,
      'STREAMS',
      ...streams,
    ) as Promise<StreamReply>;
  }

  #toMessages(reply: readonly [key: string, entries: readonly StreamEntry[]][]): PartitionMessages[] {
    return reply
      .filter(([, entries]) => entries.length > 0)
      .map(([key, entries]) => ({
        tag: this.#tagOfKey.get(key) ?? '',
        messages: entries.map(([id, fields]) => ({ id, lines: (fields?.[1] ?? '').split('\n'), readBefore: 0 })),
      }));
  }
}
