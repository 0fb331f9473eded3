import {
  type CancelReceipt,
  cancelReceiptZ,
  isTerminalRunStatus,
  RUN_STATUSES,
  type RunView,
  retryRunZ,
  runRetriedZ,
} from '@flotilla/contracts';
import { z } from 'zod';
import { problemAnswer } from './answers.ts';
import { makeReceipt } from './cancel-receipt.ts';
import type { HttpApp, HttpContext } from './http-context.ts';
import { planOfCompensated } from './plan-of-compensated.ts';
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

export function registerRunControlRoutes(app: HttpApp, context: HttpContext): void {
  const { api } = context;
  app.route({
    method: 'POST',
    url: '/v1/runs/:runId/cancel',
    schema: {
      summary: 'Cancel a run',
      description:
        'Answers when the run has ended, cleanups included, or after `waitMs`; the receipt says what was stopped, released, ' +
        'compensated and cleaned up, and what was not. Cancelling again is harmless and answers with the same receipt.',
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
    url: '/v1/runs/:runId/retry',
    schema: {
      summary: 'Retry a run that ended failed, timed-out or cancelled',
      description:
        'The run is opened again and goes on from the steps that failed or never settled; finished work is kept. With `opening` the same request twice is one retry. ' +
        'Steps that were undone when the run ended run again, too, with new idempotency keys: `plan` says which. With `dryRun` nothing is done.',
      tags: ['runs'],
      params: runParamsZ,
      body: retryRunZ.optional(),
      response: { 200: runRetriedZ, ...problemAnswer },
    },
    handler: async (request) => {
      const { runId } = request.params;
      const { dryRun, ...wanted } = request.body ?? {};
      if (dryRun === true) return { runId, ...(await api.planRetry(runId, wanted)), dryRun };
      const planned = await planOfCompensated(api, runId, wanted);
      const retried = await api.retryRun(runId, wanted);
      return { runId, ...retried, ...(retried.alreadyRetried ? {} : planned) };
    },
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
  const cancelled = await context.api.cancelRun(runId, reason);
  const run = await waitForEnd(runId, answerBy, context);
  return { status: run.status, receipt: await makeReceipt(context.api, run, cancelled) };
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
