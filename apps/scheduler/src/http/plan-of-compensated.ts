import { isFlotillaError, type RetryPlan } from '@flotilla/contracts';
import type { RetryRequest, RunApi } from './run-api.ts';

/**
 * What is told with a retry or redrive of a run whose steps were undone: where nothing was, there is nothing to be careful
 * about. What is wrong with the request the retry itself says.
 */
export async function planOfCompensated(
  api: Pick<RunApi, 'planRetry'>,
  runId: string,
  request: RetryRequest,
): Promise<{ plan?: RetryPlan }> {
  try {
    const { plan } = await api.planRetry(runId, request);
    return plan === undefined || plan.counts.undone + plan.counts.failedCleanups === 0 ? {} : { plan };
  } catch (error) {
    if (isFlotillaError(error)) return {};
    throw error;
  }
}
