import type { CleanupRetried, FailedCleanupList } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { queryText, runPath } from './paths.ts';
import type { Transport } from './transport.ts';

export interface FailedCleanupCalls {
  /** Ended runs of which compensations or registered cleanups have failed for good, the newest first; one page. */
  failedCleanups(options?: CallOptions & { cursor?: string; limit?: number }): Promise<FailedCleanupList>;
  /**
   * Makes one of them again, alone: the run stays as it ended. Twice is harmless. CLEANUP_NOT_FOUND, NOTHING_TO_RETRY (it has
   * not failed), RUN_STILL_ACTIVE (the run, or another of its cleanups).
   */
  retryCleanup(runId: string, number: number, options?: CallOptions): Promise<CleanupRetried>;
}

export function failedCleanupCalls(transport: Transport): FailedCleanupCalls {
  return {
    failedCleanups: ({ cursor, limit, ...call } = {}) =>
      transport.get(`/v1/cleanups/failed${queryText({ cursor, limit })}`, call),
    retryCleanup: (runId, number, call) =>
      transport.post(`${runPath(runId)}/cleanups/${number}/retry`, undefined, call),
  };
}
