import { Readable } from 'node:stream';
import { type HistoryEvent, isFlotillaError, isTerminalRunStatus, type RunStatus } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import { untilGone } from './guards/until-gone.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { runNotFound, runParamsZ } from './runs.ts';
import { validationFailed } from './zod-problems.ts';

const HEARTBEAT_MS = 15_000;
/** Stored state is looked at this often; hints make it faster. */
const POLL_MS = 1000;
const HISTORY_PAGE = 200;
/** A stream whose reads keep failing is ended after so many, so that its reader turns to another scheduler. */
const MAX_FAILED_READS = 10;

const eventsQueryZ = z.strictObject({
  after: z.coerce.number().int().min(-1).max(Number.MAX_SAFE_INTEGER).optional(),
  /** `end`: only the closing event, for those who wait for the outcome and do not want the history. */
  only: z.enum(['end']).optional(),
});

/** GET /v1/runs/{runId}/events: the history as server-sent events, as it grows, until the run has ended. */
export function registerRunEventsRoute(app: HttpApp, context: HttpContext): void {
  const { api, closing, streams } = context;
  app.route({
    method: 'GET',
    url: '/v1/runs/:runId/events',
    exposeHeadRoute: false,
    schema: {
      summary: 'Follow the history of a run (server-sent events)',
      description:
        '`id` is the `seq`, `event` the type, `data` the event as JSON. Starts after `Last-Event-ID` or `after`. Ends ' +
        'with `event: end`, data `{ runId, status }`. A comment every 15 s shows that the connection lives.',
      tags: ['runs'],
      produces: ['text/event-stream'],
      params: runParamsZ,
      querystring: eventsQueryZ,
      response: {
        200: { description: 'The events', content: { 'text/event-stream': { schema: z.string() } } },
        ...problemAnswer,
      },
    },
    handler: async (request, reply) => {
      const { runId } = request.params;
      const after = request.query.after ?? lastEventId(request.headers['last-event-id']) ?? -1;
      const gone = untilGone(request, reply, closing);
      streams.enter(gone);
      const run = await api.readRun(runId);
      if (run === undefined) throw runNotFound(runId);
      const chunks =
        request.query.only === 'end' ? followEnd(runId, context, gone) : follow(runId, after, context, gone);
      reply.header('content-type', 'text/event-stream; charset=utf-8');
      reply.header('cache-control', 'no-store');
      reply.header('connection', 'close');
      reply.header('x-accel-buffering', 'no');
      // A pull at a time: what the reader does not take is not read from the store either.
      return reply.send(Readable.from(chunks, { highWaterMark: 1 }) as unknown as string);
    },
  });
}

/** The whole history, then the closing event. */
async function* follow(
  runId: string,
  start: number,
  context: HttpContext,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { api, watch } = context;
  const heartbeat = new Heartbeat();
  let after = start;
  let failedReads = 0;
  yield ': open\n\n';
  while (!signal.aborted) {
    // The status first: a history read after it has everything up to that status.
    const looked = await attempt(async () => {
      const run = await api.readRun(runId);
      const page = run === undefined ? undefined : await api.readHistory(runId, { after, limit: HISTORY_PAGE });
      return { status: run?.status, page };
    });
    if (looked === undefined) {
      failedReads += 1;
      if (failedReads >= MAX_FAILED_READS) return;
    } else {
      failedReads = 0;
      const { status, page } = looked;
      if (status === undefined || page === undefined) return; // pruned meanwhile
      if (page.events.length > 0) {
        after = page.events.at(-1)!.seq;
        yield page.events.map(eventChunk).join('');
        heartbeat.sent();
      }
      if (page.events.length >= HISTORY_PAGE) continue;
      if (isTerminalRunStatus(status)) {
        yield endChunk(runId, status);
        return;
      }
    }
    if (heartbeat.due()) yield ': \n\n';
    await watch.next(runId, POLL_MS, signal);
  }
}

/** Only the closing event. */
async function* followEnd(runId: string, context: HttpContext, signal: AbortSignal): AsyncGenerator<string> {
  const { api, watch } = context;
  const heartbeat = new Heartbeat();
  let failedReads = 0;
  yield ': open\n\n';
  while (!signal.aborted) {
    const looked = await attempt(async () => ({ run: await api.readRun(runId) }));
    failedReads = looked === undefined ? failedReads + 1 : 0;
    if (failedReads >= MAX_FAILED_READS) return;
    if (looked !== undefined) {
      if (looked.run === undefined) return; // pruned meanwhile
      if (isTerminalRunStatus(looked.run.status)) {
        yield endChunk(runId, looked.run.status);
        return;
      }
    }
    if (heartbeat.due()) yield ': \n\n';
    await watch.next(runId, POLL_MS, signal);
  }
}

/** Undefined when the store cannot be read now: the stream stays open and tries again. */
async function attempt<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isFlotillaError(error) && error.code !== 'RUN_NOT_FOUND') return undefined;
    throw error;
  }
}

class Heartbeat {
  #sentAt = performance.now();

  sent(): void {
    this.#sentAt = performance.now();
  }

  due(): boolean {
    const due = performance.now() - this.#sentAt >= HEARTBEAT_MS;
    if (due) this.sent();
    return due;
  }
}

function eventChunk(event: HistoryEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function endChunk(runId: string, status: RunStatus): string {
  return `event: end\ndata: ${JSON.stringify({ runId, status })}\n\n`;
}

function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  const message = 'Last-Event-ID is not the id of an event of this stream';
  throw validationFailed([{ code: 'ILLEGAL_VALUE', path: '/last-event-id', message }]);
}
