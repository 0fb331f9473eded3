import type { ChannelList, ChannelView, Json, MessageSent, MessageView } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { queryText } from './paths.ts';
import type { Transport } from './transport.ts';

export interface SendOptions extends CallOptions {
  /** Messages of one key are ordered. */
  key?: string;
  /** The same id sends once, within a day. Default: one of this call, so that repeating a lost call is harmless. */
  dedupeId?: string;
}

export interface ReadMessagesOptions extends CallOptions {
  key?: string;
  /** Messages with a greater `seq`. */
  after?: number;
  /** 1 to 500; default 100. */
  limit?: number;
}

/** Channels of messages, from outside of runs. */
export interface ChannelCalls {
  channels(options?: CallOptions): Promise<ChannelView[]>;
  /** CHANNEL_FULL with a time to retry. */
  send(channel: string, message: Json, options?: SendOptions): Promise<MessageSent>;
  messages(channel: string, options?: ReadMessagesOptions): Promise<MessageView[]>;
}

export function channelCalls(transport: Transport): ChannelCalls {
  return {
    channels: async (call) => (await transport.get<ChannelList>('/v1/channels', call)).channels,
    send: (channel, message, { key, dedupeId = crypto.randomUUID(), ...call } = {}) =>
      transport.post(pathOf(channel), { message, dedupeId, ...(key !== undefined && { key }) }, call),
    messages: async (channel, { key, after, limit, ...call } = {}) => {
      const path = `${pathOf(channel)}${queryText({ key, after, limit })}`;
      return (await transport.get<{ messages: MessageView[] }>(path, call)).messages;
    },
  };
}

function pathOf(channel: string): string {
  return `/v1/channels/${encodeURIComponent(channel)}/messages`;
}
