import { FlotillaError, type Problem } from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import { answerWithin } from './bounded-api.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { toFlotillaError } from './problem-document.ts';

/** A readiness probe is answered within this time, also when Redis hangs. */
const PROBE_MS = 1500;

/** What else has to work besides the store: the scheduler tells which of its loops do not move. */
export type FindLoopProblems = () => readonly Problem[];

export function registerHealthRoutes(
  app: HttpApp,
  context: HttpContext,
  findLoopProblems: FindLoopProblems,
  findStoreProblems: FindLoopProblems = () => [],
): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    schema: {
      summary: 'The process is alive',
      tags: ['health'],
      response: { 200: z.object({ ok: z.literal(true) }) },
    },
    handler: async () => ({ ok: true as const }),
  });

  app.route({
    method: 'GET',
    url: '/readyz',
    schema: {
      summary: 'The scheduler works: Redis answers and the loops move',
      description:
        '`problems`: what is wrong with how Redis is set up (looked at every 5 s). A scheduler does not start with them; ' +
        'one that runs goes on, because its runs are in that Redis.',
      tags: ['health'],
      response: {
        200: z.object({
          ok: z.literal(true),
          redisLatencyMs: z.number(),
          problems: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })).optional(),
        }),
        ...problemAnswer,
      },
    },
    handler: async () => {
      const health = await probe(context);
      const problems = [...health.problems, ...findLoopProblems()];
      if (health.ok && problems.length === 0) {
        const found = findStoreProblems().map(({ code, path, message }) => ({ code, path, message }));
        return { ok: true as const, redisLatencyMs: health.latencyMs, ...(found.length > 0 && { problems: found }) };
      }
      const message = problems[0]?.message ?? 'the store does not answer';
      const code = health.ok ? 'OVERLOADED' : 'REDIS_UNAVAILABLE';
      throw new FlotillaError(code, message, { problems, retryAfterMs: 1000 });
    },
  });

  app.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      summary: "Metrics in Prometheus' text format",
      tags: ['health'],
      response: { 200: { description: 'The metrics', content: { 'text/plain': { schema: z.string() } } } },
    },
    handler: async (_request, reply) => {
      reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      return reply.send(await context.meters.render());
    },
  });
}

async function probe({ api }: HttpContext): Promise<{ ok: boolean; problems: Problem[]; latencyMs: number }> {
  try {
    return await answerWithin(api.health(), PROBE_MS, false);
  } catch (error) {
    const { code, message } = toFlotillaError(error);
    return { ok: false, problems: [{ code, path: '', message }], latencyMs: PROBE_MS };
  }
}
