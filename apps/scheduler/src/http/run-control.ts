import {
  type CancelReceipt,
  cancelReceiptZ,
  type HistoryEvent,
  isTerminalRunStatus,
  RUN_STATUSES,
  type RunView,
} from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import { findHistoryPosition } from './find-history-position.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { runNotFound, runParamsZ } from './runs.ts';

const MAX_WAIT_MS = 60_000;
const cancelQueryZ = z.strictObject({
  /** How long the answer may wait for the run to end. */
  waitMs: z.coerce.number().int().min(0).max(MAX_WAIT_MS).default(10_000),
});
const cancelBodyZ = z.strictObject({ reason: z.string().max(512).optional() }).optional();
const statusAnswerZ = z.object({ runId: z.string(), status: z.enum(RUN_STATUSES) });

/** Stored state is looked at this often while a cancelled run ends; hints make it faster. */
const POLL_MS = 250;
const HISTORY_PAGE = 1000;
const STEP_PAGE = 500;
/** Names of steps that a receipt lists. */
const MAX_LISTED_STEPS = 10_000;

export function registerRunControlRoutes(app: HttpApp, context: HttpContext): void {
  const { api } = context;
  app.route({
    method: 'POST',
    url: '/v1/runs/:runId/cancel',
    schema: {
      summary: 'Cancel a run',
      description:
        'Answers when the run has ended, or after `waitMs`; the receipt says what was stopped and what was not.',
      tags: ['runs'],
      params: runParamsZ,
      querystring: cancelQueryZ,
      body: cancelBodyZ,
      response: { 200: cancelReceiptZ, ...problemAnswer },
    },
    handler: (request) => cancel(request.params.runId, request.query.waitMs, request.body?.reason, context),
  });

  app.route({
    method: 'POST',
    url: '/v1/runs/:runId/pause',
    schema: {
      summary: 'Pause a run: no further step starts, running attempts finish',
      tags: ['runs'],
      params: runParamsZ,
      response: { 200: statusAnswerZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { status } = await api.pauseRun(request.params.runId);
      return { runId: request.params.runId, status };
    },
  });

  app.route({
    method: 'POST',
    url: '/v1/runs/:runId/resume',
    schema: {
      summary: 'Resume a paused run',
      tags: ['runs'],
      params: runParamsZ,
      response: { 200: statusAnswerZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { status } = await api.resumeRun(request.params.runId);
      return { runId: request.params.runId, status };
    },
  });
}

async function cancel(
  runId: string,
  waitMs: number,
  reason: string | undefined,
  context: HttpContext,
): Promise<CancelReceipt> {
  const answerBy = performance.now() + waitMs;
  const { status, alreadyEnded, requestedAt } = await context.api.cancelRun(runId, reason);
  if (alreadyEnded) {
    return { status, receipt: { runId, requestedAt, stoppedSteps: [], pending: [], alreadyEnded } };
  }
  const run = await waitForEnd(runId, answerBy, context);
  const ended = isTerminalRunStatus(run.status);
  const receipt = {
    runId,
    requestedAt,
    ...(run.endedAt !== undefined && { endedAt: run.endedAt }),
    stoppedSteps: await stoppedSteps(runId, requestedAt, context),
    pending: ended ? [] : await runningSteps(runId, context),
    alreadyEnded,
  };
  return { status: run.status, receipt };
}

async function waitForEnd(runId: string, answerBy: number, { api, watch, closing }: HttpContext): Promise<RunView> {
  for (;;) {
    const run = await api.readRun(runId);
    if (run === undefined) throw runNotFound(runId);
    const leftMs = answerBy - performance.now();
    if (isTerminalRunStatus(run.status) || leftMs <= 0 || closing.aborted) return run;
    await watch.next(runId, Math.min(leftMs, POLL_MS), closing);
  }
}

/** Attempts that have been ended since the request, from the history. */
async function stoppedSteps(runId: string, requestedAt: number, { api }: HttpContext): Promise<string[]> {
  const readOne = async (after: number): Promise<HistoryEvent | undefined> =>
    (await api.readHistory(runId, { after, limit: 1 })).events[0];
  const stopped = new Set<string>();
  let after = (await findHistoryPosition(readOne, requestedAt)) - 1;
  for (;;) {
    const { events, next } = await api.readHistory(runId, { after, limit: HISTORY_PAGE });
    for (const { type, stepId } of events) {
      if (type === 'attempt-cancelled' && stepId !== undefined) stopped.add(stepId);
    }
    if (events.length < HISTORY_PAGE || stopped.size >= MAX_LISTED_STEPS) return [...stopped];
    after = next;
  }
}

async function runningSteps(runId: string, { api }: HttpContext): Promise<string[]> {
  const running: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.listSteps(runId, { limit: STEP_PAGE, ...(cursor !== undefined && { cursor }) });
    for (const { stepId, status } of page.steps) if (status === 'running') running.push(stepId);
    cursor = page.cursor;
  } while (cursor !== undefined && running.length < MAX_LISTED_STEPS);
  return running;
}
