import { z } from 'zod';
import { idZ } from './ids.ts';

export const channelViewZ = z.object({
  name: z.string(),
  /** Messages that nobody has consumed. */
  depth: z.number(),
  bytes: z.number(),
  /** Messages so far. */
  sent: z.number(),
  waitingReceivers: z.number(),
  waitingSenders: z.number(),
  /** Its stored data cannot be read: nothing is sent to it or received from it, and the numbers say nothing. */
  isDamaged: z.literal(true).optional(),
});
export type ChannelView = z.infer<typeof channelViewZ>;
export const channelListZ = z.object({ channels: z.array(channelViewZ) });
export type ChannelList = z.infer<typeof channelListZ>;

export const sendMessageZ = z.strictObject({
  /** Messages of one key are ordered. Default ''. */
  key: z.string().max(512).optional(),
  message: z.json(),
  /** The same id sends once, within a day. */
  dedupeId: z.string().min(1).max(256).optional(),
});
export type SendMessage = z.infer<typeof sendMessageZ>;
export const messageSentZ = z.object({ channel: z.string(), seq: z.number(), deduplicated: z.boolean() });
export type MessageSent = z.infer<typeof messageSentZ>;

export const messageViewZ = z.object({
  /** From 1, per key, without gaps. */
  seq: z.number(),
  key: z.string(),
  body: z.json(),
  /** Who sent it: `run/step`, or `api`. */
  by: z.string(),
  at: z.number(),
});
export type MessageView = z.infer<typeof messageViewZ>;
export const readMessagesQueryZ = z.strictObject({
  key: z.string().max(512).optional(),
  /** Messages with a greater `seq`. */
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export const messageListZ = z.object({ messages: z.array(messageViewZ) });
export type MessageList = z.infer<typeof messageListZ>;
export const channelParamsZ = z.strictObject({ name: idZ });
