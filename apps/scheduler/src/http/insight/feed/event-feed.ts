import { Readable } from 'node:stream';
import { EVENT_TOPICS, type EventTopic, eventFeedQueryZ, isLegalId, MAX_FOLLOWED_RUNS } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from '../../answers.ts';
import { untilGone } from '../../guards/until-gone.ts';
import type { HttpApp, HttpContext } from '../../http-context.ts';
import { validationFailed } from '../../zod-problems.ts';
import { type FeedPosition, parsePosition } from './feed-position.ts';
import { type FeedWish, followFeed } from './follow-feed.ts';
import { SharedReads } from './shared-reads.ts';

/** GET /v1/events: one stream of all that changes, for a browser with any number of pages. */
export function registerEventFeedRoute(app: HttpApp, context: HttpContext): void {
  const { closing, streams, api, insight } = context;
  const shared = new SharedReads();
  app.route({
    method: 'GET',
    url: '/v1/events',
    exposeHeadRoute: false,
    schema: {
      summary: 'Follow all that changes (server-sent events)',
      description:
        '`topics`, separated by commas, of `runs`, `counts`, `errors`, `report` (default `runs`); `follow`: up to 20 run ids, ' +
        'whose history comes as `event: history`. At most four frames a second; a run that changes several times comes ' +
        'once, as it is then. `id` is where the stream stands: with it as `Last-Event-ID` nothing since is missing, and ' +
        'some may come twice; after more than two minutes `overflow: true` says to read the lists again. A comment every ' +
        '15 s shows that the connection lives.',
      tags: ['runs'],
      produces: ['text/event-stream'],
      querystring: eventFeedQueryZ,
      response: {
        200: { description: 'The frames', content: { 'text/event-stream': { schema: z.string() } } },
        ...problemAnswer,
      },
    },
    handler: async (request, reply) => {
      const wish = { ...wishOf(request.query), showsPayloads: request.scopes.includes('payloads') };
      const start = positionOf(request.headers['last-event-id']);
      const gone = untilGone(request, reply, closing);
      streams.enter(gone);
      reply.header('content-type', 'text/event-stream; charset=utf-8');
      reply.header('cache-control', 'no-store');
      reply.header('connection', 'close');
      reply.header('x-accel-buffering', 'no');
      const frames = followFeed(wish, start, { api, insight, shared }, gone);
      // A pull at a time: what the reader does not take is not read from the store either.
      return reply.send(Readable.from(frames, { highWaterMark: 1 }) as unknown as string);
    },
  });
}

function wishOf({ topics, follow, workflow, tag }: z.infer<typeof eventFeedQueryZ>): Omit<FeedWish, 'showsPayloads'> {
  const named = listOf(topics ?? 'runs');
  const unknown = named.filter((topic) => !(EVENT_TOPICS as readonly string[]).includes(topic));
  const runs = [...new Set(listOf(follow ?? ''))];
  const illegal = runs.filter((runId) => !isLegalId(runId));
  const problems = [
    ...unknown.map((topic) => ({
      path: '/topics',
      message: `expected some of ${EVENT_TOPICS.join(', ')}, not ${topic}`,
    })),
    ...illegal.map(() => ({ path: '/follow', message: 'expected run ids with commas between' })),
    ...(runs.length > MAX_FOLLOWED_RUNS
      ? [{ path: '/follow', message: `expected at most ${MAX_FOLLOWED_RUNS} run ids` }]
      : []),
  ];
  if (problems.length > 0) throw validationFailed(problems.map((problem) => ({ code: 'ILLEGAL_VALUE', ...problem })));
  return { topics: new Set(named as EventTopic[]), follow: runs, workflow, tag };
}

const listOf = (text: string) => text.split(',').filter((entry) => entry !== '');

function positionOf(header: string | string[] | undefined): FeedPosition | undefined {
  if (header === undefined || header === '') return undefined;
  const position = typeof header === 'string' ? parsePosition(header) : undefined;
  if (position !== undefined) return position;
  const message = 'Last-Event-ID is not the id of a frame of this stream';
  throw validationFailed([{ code: 'ILLEGAL_VALUE', path: '/last-event-id', message }]);
}
