import type { Json } from '@flotilla/contracts';
import { type Expression, type Plan, prepareInPieces, type Scope } from '@flotilla/engine';
import { loopTurns, type Source, SourceReading, type State } from '@flotilla/state';

export interface RunScope {
  scope: Scope;
  createdAt: number;
  sources: ReadonlyMap<number, Source>;
}

export interface ScopeRequest {
  runId: string;
  /** Steps whose outputs are read. */
  reads: readonly number[];
  /** What will be evaluated, when it is more than one expression. */
  expressions?: readonly Expression[];
}

/**
 * Evaluates with what the expressions of a run name, and with nothing else. `work` is synchronous, and what it read is not used
 * after it: large readings come one after the other. Throws EXPRESSION_FAILED, DATA_CORRUPTION or RUN_NOT_FOUND.
 */
export async function withScope<Result>(
  state: State<Plan>,
  plan: Plan,
  { runId, reads, expressions = [] }: ScopeRequest,
  work: (read: RunScope) => Result,
): Promise<Result> {
  const reading = new SourceReading();
  try {
    const read = await readScope(state, plan, { runId, reads }, reading);
    if (expressions.length > 1) await loopTurns.runPieces(prepareInPieces(expressions));
    return await loopTurns.run(() => work(read));
  } finally {
    reading.end();
  }
}

async function readScope(
  state: State<Plan>,
  plan: Plan,
  { runId, reads }: ScopeRequest,
  reading: SourceReading,
): Promise<RunScope> {
  const run = state.run(runId);
  const { createdAt, inputJson } = await run.readStart();
  const sources =
    reads.length === 0 ? new Map<number, Source>() : await run.sources(plan, createdAt, reading).read(reads);
  const input = await loopTurns.run(() => JSON.parse(inputJson) as Json);
  const scope: Scope = {
    run: { id: runId, input, startedAt: createdAt },
    step: (index) => sources.get(index) ?? { status: 'waiting', output: null },
  };
  return { scope, createdAt, sources };
}
