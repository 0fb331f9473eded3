import type { RunUsage } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { MICROS_PER_USD, type State } from '@flotilla/state';

/** What the attempts of a run have used, and what its definition allows. RUN_NOT_FOUND. */
export async function readUsage(state: State<Plan>, runId: string): Promise<RunUsage> {
  const { costMicros, tokens, definitionHash } = await state.run(runId).readUsage();
  const { definition } = await state.readPlan(state.tagOf(runId), definitionHash);
  const { costUSD, tokens: tokenLimit } = definition.budget ?? {};
  const budget = { ...(costUSD !== undefined && { costUSD }), ...(tokenLimit !== undefined && { tokens: tokenLimit }) };
  const used = { runId, costUSD: costMicros / MICROS_PER_USD, tokens };
  return Object.keys(budget).length === 0 ? used : { ...used, budget };
}
