import type { ClientCall, Recording, StepReport } from './recording.ts';

/** A recording has as many calls and reports as runs, or more: each is gathered once and not looked for in every run. */
const known = new WeakMap<object, ReadonlyMap<string, readonly unknown[]>>();

function byRun<Item>(items: readonly Item[], runIdOf: (item: Item) => string): ReadonlyMap<string, readonly Item[]> {
  const found = known.get(items) ?? Map.groupBy(items, runIdOf);
  known.set(items, found);
  return found as ReadonlyMap<string, readonly Item[]>;
}

/** Calls about a run, by the answer where there is one, else by the run id that was asked for. */
export function callsOf({ calls }: Recording, runId: string): readonly ClientCall[] {
  return byRun(calls, callRunId).get(runId) ?? [];
}

function callRunId(call: ClientCall): string {
  return call.kind === 'cancel' ? call.runId : (call.answer?.runId ?? call.request.runId ?? '');
}

/** Reports of a step in the order in which they came. */
export function reportsOf({ effects }: Recording, runId: string, stepId: string): readonly StepReport[] {
  const ofRun = byRun(effects, (report) => report.runId).get(runId) ?? [];
  return byRun(ofRun, (report) => report.stepId).get(stepId) ?? [];
}
