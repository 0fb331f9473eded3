import { setTimeout as pause } from 'node:timers/promises';
import type { RunsStarted } from '@flotilla/contracts';
import type { FleetApi } from '@flotilla/local-fleet';

/** A submission with a run id of its own: repeating it starts nothing twice. */
export interface NamedSubmission extends Record<string, unknown> {
  runId: string;
}

const AGAIN_MS = 200;

/**
 * Submits runs in one request, and those again that were refused, until all have been accepted. Gives those that were not
 * accepted in time: run id -> why.
 */
export async function submitRuns(
  api: FleetApi,
  submissions: readonly NamedSubmission[],
  timeoutMs: number,
): Promise<Map<string, string>> {
  const endsAt = performance.now() + timeoutMs;
  let left = submissions;
  for (;;) {
    const refused = await submitOnce(api, left, endsAt - performance.now());
    if (refused.size === 0 || performance.now() + AGAIN_MS > endsAt) return refused;
    left = left.filter(({ runId }) => refused.has(runId));
    await pause(AGAIN_MS);
  }
}

async function submitOnce(
  api: FleetApi,
  runs: readonly NamedSubmission[],
  timeoutMs: number,
): Promise<Map<string, string>> {
  const refuseAll = (why: string) => new Map(runs.map(({ runId }) => [runId, why]));
  try {
    const { status, body } = await api.request<RunsStarted>('POST', '/v1/runs/batch', { runs }, { timeoutMs });
    if (status !== 200) return refuseAll(`answered ${status}`);
    return new Map(
      runs.flatMap(({ runId }, index) => {
        const answer = body.runs[index];
        if (answer !== undefined && !('error' in answer)) return [];
        return [[runId, answer?.error.code ?? 'not answered'] as const];
      }),
    );
  } catch (error) {
    return refuseAll((error as Error).message);
  }
}
