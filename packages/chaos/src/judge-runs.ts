import { findRecoveries, findViolations, type Recovery } from '@flotilla/checker';
import type { WorkflowDefinition } from '@flotilla/contracts';
import { type FleetApi, mapInTurn, type RunRecord } from '@flotilla/local-fleet';
import type { MixedGraph } from './graphs/mixed-graphs.ts';
import { findWrongEnd } from './wrong-end.ts';

export interface StartedGraph {
  runId: string;
  graph: MixedGraph;
}

/**
 * What is wrong with runs that should all have ended as is known beforehand; none when they are right. `timerLateMs`: how
 * late what waits for a time may be, where more than a busy machine keeps it waiting.
 */
export function findWrongRuns(
  graphs: readonly StartedGraph[],
  records: readonly RunRecord[],
  bounds: { timerLateMs?: number } = {},
): string[] {
  return records.flatMap((record, index) => {
    const { graph } = graphs[index]!;
    const definition = graph.definition as unknown as WorkflowDefinition;
    return [...findViolations(record, { definition, bounds }), ...findWrongEnd(record, graph)];
  });
}

export interface Recoveries {
  /** Steps that a dead worker held and that were started again, longest wait first. */
  waits: (Recovery & { runId: string })[];
  text: string;
}

/** How long steps of dead workers waited until they were started again. */
export function summarizeRecoveries(records: readonly RunRecord[], diedAt: ReadonlyMap<string, number>): Recoveries {
  const waits = records
    .flatMap((record) => findRecoveries(record, diedAt).map((time) => ({ runId: record.run.runId, ...time })))
    .sort((a, b) => b.waitedMs - a.waitedMs);
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))]?.waitedMs ?? 0;
  const text = `${waits.length} steps of dead workers waited: median ${at(0.5)} ms, p99 ${at(0.01)} ms, longest ${at(0)} ms`;
  return { waits, text };
}

/** Starts graphs, several at once, under run ids of their own, so that a repeated submission starts nothing twice. */
export function startGraphs(api: FleetApi, prefix: string, graphs: readonly MixedGraph[]): Promise<StartedGraph[]> {
  return mapInTurn(graphs, 8, async (graph, index) => {
    const runId = `${prefix}-${index}`;
    await api.start({ definition: graph.definition, input: graph.input, runId }, { timeoutMs: 60_000 });
    return { runId, graph };
  });
}
