import { FlotillaError, type Json } from '@flotilla/contracts';
import type { Plan, Scope } from '@flotilla/engine';
import { parseRunMeta, readSources, type Source, type State, stateKey } from '@flotilla/state';

/** Reads what an expression of a run names, and nothing else. Throws DATA_CORRUPTION or RUN_NOT_FOUND. */
export async function readScope(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  reads: readonly number[],
): Promise<{ scope: Scope; createdAt: number; sources: ReadonlyMap<number, Source> }> {
  const tag = state.tagOf(runId);
  const [packed, inputJson] = await state.client.hmget(stateKey(tag, 'run', runId), 'm', 'i');
  if (packed == null) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  const { createdAt } = parseRunMeta(packed);
  const run = { client: state.client, plan, tag, runId, createdAt, seal: state.seal };
  const sources = reads.length === 0 ? new Map<number, Source>() : await readSources(run, reads);
  const input = JSON.parse(inputJson ?? 'null') as Json;
  const scope: Scope = {
    run: { id: runId, input, startedAt: createdAt },
    step: (index) => sources.get(index) ?? { status: 'waiting', output: null },
  };
  return { scope, createdAt, sources };
}
