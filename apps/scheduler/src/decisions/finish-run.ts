import { FlotillaError } from '@flotilla/contracts';
import { canonicalJson, type Plan } from '@flotilla/engine';
import { loopTurns, type State } from '@flotilla/state';
import { withScope } from './run-scope.ts';

/** All steps have settled: evaluates the run's output and ends it. */
export async function finishRun(state: State<Plan>, plan: Plan, runId: string): Promise<void> {
  const tag = state.tagOf(runId);
  try {
    const { reads = [], expressions = [] } = plan.output ?? {};
    const request = { runId, reads, expressions };
    const output = await withScope(state, plan, request, ({ scope }) => plan.output?.resolve(scope) ?? null);
    const outputJson = await loopTurns.run(() => canonicalJson(output));
    await state.transitions.finishRun(tag, runId, { outputJson });
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    if (error.code === 'RUN_NOT_FOUND') return;
    if (error.code !== 'EXPRESSION_FAILED' && error.code !== 'DATA_CORRUPTION') throw error;
    if (error.code === 'DATA_CORRUPTION') await reportCorrupt(state, plan, runId);
    const errorJson = canonicalJson({ type: 'non_retryable', code: error.code, message: error.message });
    await state.transitions.finishRun(tag, runId, { errorJson });
  }
}

/** Records which of the checkpoints that the output is made from are corrupt. */
async function reportCorrupt(state: State<Plan>, plan: Plan, runId: string): Promise<void> {
  for (const index of plan.output?.reads ?? []) {
    try {
      await withScope(state, plan, { runId, reads: [index] }, () => undefined);
    } catch (error) {
      if (!(error instanceof FlotillaError) || error.code !== 'DATA_CORRUPTION') throw error;
      const data = canonicalJson({ code: error.code, message: error.message });
      await state.transitions.reportCorruption({ tag: state.tagOf(runId), runId, key: String(index) }, data);
    }
  }
}

const SWEEP_PAGE = 500;

/** Takes away the timers that steps of an ended run left: those that were backing off, delaying or waiting. */
export async function sweepRun(state: State<Plan>, plan: Plan, runId: string): Promise<void> {
  const tag = state.tagOf(runId);
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await state.listSteps(runId, { cursor, limit: SWEEP_PAGE });
    for (const { stepId, status } of page.steps) {
      if (status !== 'cancelled' && status !== 'failed') continue;
      const match = /^(.*?)(?:\[(\d+)\])?$/.exec(stepId)!;
      const index = plan.stepIndex.get(match[1]!);
      if (index !== undefined) keys.push(match[2] === undefined ? String(index) : `${index}.${match[2]}`);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  for (let first = 0; first < keys.length; first += SWEEP_PAGE) {
    await state.transitions.sweepRun(tag, runId, keys.slice(first, first + SWEEP_PAGE));
  }
}
