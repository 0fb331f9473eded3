import { FlotillaError, isFlotillaError, MAX_BATCH_RUNS, type RunsStarted, runsStartedZ } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { toFlotillaError, toProblemDocument } from './problem-document.ts';
import { startedRun, startRunContext } from './runs.ts';
import { type PreparedRun, prepareRun, startRunBodyZ } from './start-run.ts';
import { traceparentOf } from './traceparent-of.ts';
import { parseWith } from './zod-problems.ts';

/** Entries are checked one by one, so that one bad entry is answered for itself and takes nothing from the others. */
const batchBodyZ = z.strictObject({ runs: z.array(z.unknown()).min(1).max(MAX_BATCH_RUNS) });

/** A thousand entries must not hold the event loop: others get their turn after this time. */
const TURN_MS = 10;
/** Entries are not begun after this time: a thousand schemas that take as long as one may would take minutes. */
const MAX_PREPARING_MS = 5000;
/** Problems that one answer lists; of the entries after that only the first. */
const MAX_PROBLEMS = 5000;

export function registerRunBatchRoute(app: HttpApp, context: HttpContext): void {
  app.route({
    method: 'POST',
    url: '/v1/runs/batch',
    bodyLimit: context.config.maxBodyBytes,
    schema: {
      summary: `Start up to ${MAX_BATCH_RUNS} runs`,
      description:
        'Each entry is as the body of POST /v1/runs and is answered for itself, in the order of the request.',
      tags: ['runs'],
      body: batchBodyZ,
      response: { 200: runsStartedZ, ...problemAnswer },
    },
    handler: (request) => {
      context.admit();
      return startRuns(request.body.runs, context, traceparentOf(request));
    },
  });
}

async function startRuns(
  entries: readonly unknown[],
  context: HttpContext,
  traceparent: string | undefined,
): Promise<RunsStarted> {
  const prepared = await prepareRuns(entries, context);
  const accepted = prepared.filter((entry): entry is PreparedRun => !isFlotillaError(entry));
  const requests = accepted.map((entry) => ({ ...entry.request, traceparent }));
  const created = requests.length === 0 ? [] : await context.api.createRuns(requests);
  const answers = created.values();
  let problemsLeft = MAX_PROBLEMS;
  const runs = prepared.map((entry) => {
    const answer = isFlotillaError(entry) ? entry : answers.next().value!;
    if (isFlotillaError(answer)) {
      const document = toProblemDocument(answer);
      const problems = document.problems?.slice(0, Math.max(1, problemsLeft));
      problemsLeft -= problems?.length ?? 0;
      return { error: problems === undefined ? document : { ...document, problems } };
    }
    return startedRun(answer, (entry as PreparedRun).warnings);
  });
  for (const run of runs) {
    if ('error' in run) continue;
    context.meters.add('flotilla_runs_started_total', { deduplicated: String(run.deduplicated) });
  }
  return { runs };
}

async function prepareRuns(entries: readonly unknown[], context: HttpContext): Promise<(PreparedRun | Error)[]> {
  const starting = startRunContext(context);
  const named = oncePerName((name) => context.plans.named(name));
  const prepared: (PreparedRun | Error)[] = [];
  const mustBeginBefore = performance.now() + MAX_PREPARING_MS;
  let turnEndsAt = performance.now() + TURN_MS;
  for (const entry of entries) {
    try {
      if (performance.now() > mustBeginBefore) throw tooCostlyTogether();
      prepared.push(await prepareRun(parseWith(startRunBodyZ, entry), starting, named));
    } catch (error) {
      const problem = toFlotillaError(error);
      if (problem.code === 'INTERNAL') context.logger.error({ err: error }, 'an entry of a batch failed');
      prepared.push(problem);
    }
    if (performance.now() > turnEndsAt) {
      await new Promise((resolve) => setImmediate(resolve));
      turnEndsAt = performance.now() + TURN_MS;
    }
  }
  return prepared;
}

function tooCostlyTogether(): FlotillaError {
  const message = `the entries before this one took more than ${MAX_PREPARING_MS} ms to check; send it in another batch`;
  return new FlotillaError('OVERLOADED', message, { retryAfterMs: 1000 });
}

/** Many entries of one batch name the same workflow: it is read once. */
function oncePerName(read: (name: string) => Promise<Plan>): (name: string) => Promise<Plan> {
  const reading = new Map<string, Promise<Plan>>();
  return (name) => {
    let plan = reading.get(name);
    if (plan === undefined) {
      plan = read(name);
      reading.set(name, plan);
    }
    return plan;
  };
}
