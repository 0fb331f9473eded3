import type { Channels } from '@flotilla/channels';
import {
  channelListZ,
  channelParamsZ,
  messageListZ,
  messageSentZ,
  readMessagesQueryZ,
  sendMessageZ,
} from '@flotilla/contracts';
import { problemAnswer } from '../answers.ts';
import { boundCalls } from '../bounded-api.ts';
import type { HttpApp, HttpContext } from '../http-context.ts';

/** What the HTTP edge needs of channels. */
export type ChannelApi = Pick<Channels, 'send' | 'read' | 'list'>;

/** The same with a deadline on every call, and typed errors. */
export function boundChannels(channels: ChannelApi, deadlineMs: number): ChannelApi {
  return {
    ...boundCalls(channels, ['send'], deadlineMs, true),
    ...boundCalls(channels, ['read', 'list'], deadlineMs, false),
  };
}

const MAX_MESSAGE_BYTES = 262_144;

export function registerChannelRoutes(app: HttpApp, { channels }: HttpContext): void {
  app.route({
    method: 'GET',
    url: '/v1/channels',
    schema: {
      summary: 'List channels, with how many messages wait in each',
      description: 'A channel of one run is listed as `RUN~NAME`.',
      tags: ['channels'],
      response: { 200: channelListZ, ...problemAnswer },
    },
    handler: async () => ({ channels: await channels.list() }),
  });

  app.route({
    method: 'POST',
    url: '/v1/channels/:name/messages',
    bodyLimit: MAX_MESSAGE_BYTES,
    schema: {
      summary: 'Send a message to a channel',
      description:
        'Messages of one `key` are numbered without gaps and received in order. A full channel answers 429 `CHANNEL_FULL`. The ' +
        'same `dedupeId` sends once, within a day.',
      tags: ['channels'],
      params: channelParamsZ,
      body: sendMessageZ,
      response: { 200: messageSentZ, 202: messageSentZ, ...problemAnswer },
    },
    handler: async (request, reply) => {
      const { key, message, dedupeId } = request.body;
      const { name: channel } = request.params;
      const sent = await channels.send({ channel, key, body: message, id: dedupeId, by: 'api' });
      reply.code(sent.deduplicated ? 200 : 202);
      return { channel, ...sent };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/channels/:name/messages',
    schema: {
      summary: 'Read messages of a channel, consumed ones too as far as they are still stored',
      tags: ['channels'],
      params: channelParamsZ,
      querystring: readMessagesQueryZ,
      response: { 200: messageListZ, ...problemAnswer },
    },
    handler: async (request) => ({ messages: await channels.read(request.params.name, request.query) }),
  });
}
