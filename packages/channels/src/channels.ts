import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FlotillaError, isFlotillaError, type Json } from '@flotilla/contracts';
import { defineScript, type RedisClient, retryTransient, runScript } from '@flotilla/redis';
import { readWaitingRuns } from './waiting-runs.ts';

const SCRIPT = defineScript({
  name: 'channel',
  numberOfKeys: 4,
  lua: readFileSync(new URL('../lua/channel.lua', import.meta.url), 'utf8'),
});

/** Default bounds of what is not acknowledged. */
export const DEFAULT_MAX_MESSAGES = 1000;
export const DEFAULT_MAX_BYTES = 8_388_608;
/** What is read of a channel at once. */
export const MAX_READ_BYTES = 8_388_608;
const DEADLINE_MS = 30_000;
/** When it is worth sending again to a channel that is full. */
const FULL_RETRY_AFTER_MS = 500;

/** Where the keys of channels live; packages/state places them. */
export interface ChannelPlacement {
  namespace: string;
  /** `{fl:07}:` of the partition that holds the channel of this name. */
  tagOf: (channel: string) => string;
  tags: readonly string[];
}

export interface ChannelMessage {
  /** From 1, per key, without gaps. */
  seq: number;
  key: string;
  body: Json;
  /** Who sent it: `run/step`, or `api`. */
  by: string;
  at: number;
}

export interface SendMessage {
  channel: string;
  /** Messages of one key are ordered. Default ''. */
  key?: string | undefined;
  body: Json;
  /** The same id sends once, within a day. */
  id?: string | undefined;
  by: string;
  maxMessages?: number | undefined;
  maxBytes?: number | undefined;
}

/** A step of a run: `run|step key`. */
export interface WaitingStep {
  runId: string;
  key: string;
}

/** Messages that a waiting step is to be given, or a sender that was let in. */
export type Delivery =
  | { kind: 'assign'; assignment: string; step: WaitingStep; messages: { seq: number; key: string; body: Json }[] }
  | { kind: 'admit'; step: WaitingStep; seq: number };

/** An attempt of a step; `fence` tells it from others of the same step. */
export interface HoldingAttempt extends WaitingStep {
  fence: string;
}

/** Messages of one key that an attempt has taken. */
export interface TakenMessages {
  assignment: string;
  messages: { seq: number; key: string; body: Json }[];
}

export interface ChannelView {
  name: string;
  /** Messages that nobody has consumed. */
  depth: number;
  bytes: number;
  /** Messages so far. */
  sent: number;
  waitingReceivers: number;
  waitingSenders: number;
  /** Its stored data cannot be read: nothing is sent to it or received from it any more, and the numbers say nothing. */
  isDamaged?: true;
}

const stepText = ({ runId, key }: WaitingStep) => `${runId}|${key}`;

function parseStep(text: string): WaitingStep {
  const [runId = '', key = ''] = text.split('|');
  return { runId, key };
}

/** Channels in Redis: each call is one script call of the channel's partition. */
export class Channels {
  readonly #client: RedisClient;
  readonly #placement: ChannelPlacement;

  constructor(client: RedisClient, placement: ChannelPlacement) {
    this.#client = client;
    this.#placement = placement;
  }

  /** Seq of the message. CHANNEL_FULL with a time to retry. */
  async send(message: SendMessage): Promise<{ seq: number; deduplicated: boolean }> {
    const reply = await this.#send(message, '');
    if (reply[0] === 'full') {
      const text = `channel ${message.channel} is full: ${reply[1]} messages wait in it`;
      throw new FlotillaError('CHANNEL_FULL', text, { retryAfterMs: FULL_RETRY_AFTER_MS });
    }
    return { seq: Number(reply[1]), deduplicated: reply[0] === 'known' };
  }

  /** The same for a step that waits its turn when the channel is full: undefined then. */
  async sendOrWait(message: SendMessage & { id: string }, step: WaitingStep): Promise<number | undefined> {
    const reply = await this.#send(message, stepText(step));
    return reply[0] === 'waiting' ? undefined : Number(reply[1]);
  }

  #send(message: SendMessage, waiting: string): Promise<(string | number)[]> {
    const { channel, key = '', body, id = randomUUID(), by } = message;
    const { maxMessages = DEFAULT_MAX_MESSAGES, maxBytes = DEFAULT_MAX_BYTES } = message;
    return this.#call(channel, 'send', [key, JSON.stringify(body), id, by, maxMessages, maxBytes, waiting]);
  }

  /** A step waits for messages; registering it again changes nothing. */
  async receive(channel: string, step: WaitingStep, { key = '', count }: { key?: string | undefined; count: number }) {
    await this.#call(channel, 'receive', [stepText(step), key, count]);
  }

  /** What schedulers have to tell steps now. Repeated until it is acknowledged, released or confirmed. */
  async deliver(channel: string): Promise<Delivery[]> {
    const reply = await this.#call<[kind: string, name: string, content: string][]>(channel, 'deliver', []);
    try {
      return reply.map(parseDelivery);
    } catch (error) {
      throw damaged(channel, error);
    }
  }

  /**
   * Takes up to `count` messages of one key for an attempt, which holds them until they are acknowledged or released: nobody
   * is given later ones of that key meanwhile. Undefined when there is none that no waiting step comes first for.
   */
  async take(
    channel: string,
    { runId, key: stepKey, fence }: HoldingAttempt,
    { key = '', count }: { key?: string | undefined; count: number },
  ): Promise<TakenMessages | undefined> {
    const args = [stepText({ runId, key: stepKey }), fence, key, count];
    const [outcome, assignment, content] = await this.#call<string[]>(channel, 'take', args);
    if (outcome !== 'taken' || assignment === undefined || content === undefined) return undefined;
    try {
      return { assignment, messages: parseAssignment(content).messages };
    } catch (error) {
      throw damaged(channel, error);
    }
  }

  /** Releases what attempts hold of which `isHeld` says that they hold it no more. How many those were. */
  async releaseLost(channel: string, isHeld: (attempt: HoldingAttempt) => Promise<boolean>): Promise<number> {
    const reply = await this.#call<string[]>(channel, 'holders', []);
    let released = 0;
    for (let index = 0; index < reply.length; index += 2) {
      const [assignment = '', fence = ''] = reply.slice(index, index + 2);
      if (await isHeld({ ...parseStep(assignment), fence })) continue;
      await this.release(channel, assignment);
      released += 1;
    }
    return released;
  }

  async acknowledge(channel: string, assignment: string): Promise<void> {
    await this.#call(channel, 'acknowledge', [assignment]);
  }

  async release(channel: string, assignment: string): Promise<void> {
    await this.#call(channel, 'release', [assignment]);
  }

  async confirm(channel: string, step: WaitingStep): Promise<void> {
    await this.#call(channel, 'confirm', [stepText(step)]);
  }

  /**
   * A step waits no more: its message is not let in any more, nothing is given to it. The number of the message that was sent
   * with this id, when that happened before.
   */
  async leave(channel: string, step: WaitingStep, sentWith = ''): Promise<number | undefined> {
    const [outcome, seq] = await this.#call(channel, 'leave', [stepText(step), sentWith]);
    return outcome === 'sent' ? Number(seq) : undefined;
  }

  /** Nothing of it is left, whatever it held: the run that it belonged to is gone. */
  async remove(channel: string): Promise<void> {
    await this.#call(channel, 'remove', []);
  }

  /** Runs whose steps wait at it, as far as that can be read: of a damaged channel, too. */
  async waitingRuns(channel: string): Promise<string[]> {
    return readWaitingRuns(this.#client, this.#keys(channel).meta, DEADLINE_MS);
  }

  /** Undefined when nothing was ever sent to it, or waits for it. DATA_CORRUPTION. */
  async look(channel: string): Promise<ChannelView | undefined> {
    const [depth = 0, bytes = 0, sent = 0, receivers = 0, senders = 0] = await this.#call<number[]>(
      channel,
      'look',
      [],
    );
    if (sent === 0 && receivers === 0) return undefined;
    return { name: channel, depth, bytes, sent, waitingReceivers: receivers, waitingSenders: senders };
  }

  /** All channels, by name. */
  async list(): Promise<ChannelView[]> {
    const names = await Promise.all(
      this.#placement.tags.map((tag) => this.#client.zrange(`${tag}channels`, '0', '-1')),
    );
    const views = await Promise.all(names.flat().map((name) => this.#lookAtAny(name)));
    return views.filter((view) => view !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #lookAtAny(name: string): Promise<ChannelView | undefined> {
    try {
      return await this.look(name);
    } catch (error) {
      if (!isFlotillaError(error) || error.code !== 'DATA_CORRUPTION') throw error;
      const nothing = { depth: 0, bytes: 0, sent: 0, waitingReceivers: 0, waitingSenders: 0 };
      return { name, ...nothing, isDamaged: true };
    }
  }

  /**
   * Messages with a greater number, of one key or of all, as far as they are still stored: at most `limit`, and no more than
   * `MAX_READ_BYTES` and a page together.
   */
  async read(
    channel: string,
    { key, after = 0, limit = 100 }: { key?: string | undefined; after?: number; limit?: number },
  ): Promise<ChannelMessage[]> {
    const found: ChannelMessage[] = [];
    let start = '-';
    let bytes = 0;
    while (found.length < limit && bytes < MAX_READ_BYTES) {
      const page = await this.#client.xrange(this.#keys(channel).log, start, '+', 'COUNT', PAGE);
      for (const [id, fields] of page) {
        const message = messageOf(id, fields);
        if (message.seq <= after || (key !== undefined && message.key !== key)) continue;
        found.push(message);
        bytes += bytesOf(fields);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      start = `(${last[0]}`;
    }
    return found.slice(0, limit);
  }

  async #call<Reply = (string | number)[]>(
    channel: string,
    command: string,
    args: readonly (string | number)[],
  ): Promise<Reply> {
    const { meta, log, outbox, channels } = this.#keys(channel);
    const call = () => runScript(this.#client, SCRIPT, [meta, log, outbox, channels], [command, channel, ...args]);
    try {
      return (await retryTransient(call, { deadlineMs: DEADLINE_MS })) as Reply;
    } catch (error) {
      if (isFlotillaError(error)) throw error;
      throw damaged(channel, error);
    }
  }

  #keys(channel: string): Record<'meta' | 'log' | 'outbox' | 'channels', string> {
    const tag = this.#placement.tagOf(channel);
    return { meta: `${tag}ch:${channel}`, log: `${tag}cl:${channel}`, outbox: `${tag}out`, channels: `${tag}channels` };
  }
}

/** Redis serves, and the channel's script fails: what it found stored is not what it has written. */
function damaged(channel: string, cause: unknown): FlotillaError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new FlotillaError('DATA_CORRUPTION', `the stored data of channel ${channel} is damaged: ${why}`, { cause });
}

interface Assignment {
  receiver: string;
  messages: { seq: number; key: string; body: string }[];
}

function parseDelivery([kind, name, content]: [kind: string, name: string, content: string]): Delivery {
  if (kind === 'admit') return { kind, step: parseStep(name), seq: Number(content) };
  const { receiver, messages } = parseAssignment(content);
  return { kind: 'assign', assignment: name, step: parseStep(receiver), messages };
}

function parseAssignment(content: string): { receiver: string; messages: TakenMessages['messages'] } {
  const { receiver, messages } = JSON.parse(content) as Assignment;
  const parsed = messages.map(({ body, ...message }) => ({ ...message, body: JSON.parse(body) as Json }));
  return { receiver, messages: parsed };
}

const PAGE = 25;

function bytesOf(fields: readonly string[]): number {
  return fields.reduce((sum, field) => sum + field.length, 0);
}

function messageOf(id: string, fields: readonly string[]): ChannelMessage {
  const values = new Map<string, string>();
  for (let index = 0; index < fields.length; index += 2) values.set(fields[index] ?? '', fields[index + 1] ?? '');
  return {
    seq: Number(values.get('seq')),
    key: values.get('key') ?? '',
    body: JSON.parse(values.get('body') ?? 'null') as Json,
    by: values.get('by') ?? '',
    at: Number.parseInt(id, 10),
  };
}
