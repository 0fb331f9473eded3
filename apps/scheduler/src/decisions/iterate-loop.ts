import { countedEdges, decideLoop, type LoopEnd, type Plan, type PlanMap, type PlanStep } from '@flotilla/engine';
import { type LoopPosition, STEP, type State } from '@flotilla/state';
import { withScope } from './run-scope.ts';
import { failStep } from './start-step.ts';

/** An iteration of a loop has succeeded: the next one starts, or the loop ends. Repeating it is harmless. */
export async function iterateLoop(
  state: State<Plan>,
  plan: Plan,
  { runId, step }: { runId: string; step: PlanStep },
): Promise<void> {
  const { map } = step;
  if (map === undefined) return;
  const key = String(step.index);
  const position = await state.readLoopPosition(runId, key, plan);
  if (position === undefined) return;
  const { iterations } = position;
  const address = { tag: state.tagOf(runId), runId, key };
  const decision = await decide(state, plan, { runId, step, position });
  if (decision === undefined) return;
  let endedBy: LoopEnd | undefined = 'end' in decision ? decision.end : undefined;
  if ('next' in decision) {
    const maxSteps = plan.definition.budget?.maxSteps;
    const reply = await state.transitions.continueLoop(address, {
      ...{ iterations, itemJson: decision.next, maxSteps, definitionSteps: plan.steps.length },
    });
    if (reply === 'budget') endedBy = 'budget';
  }
  if (endedBy === undefined) return;
  const edges = countedEdges(plan, step.index, 'succeeded');
  await state.transitions.endLoop(address, { iterations, endedBy, endStep: step.endStep, edges });
}

/** Undefined: the step has been failed, for its condition could not be evaluated. */
async function decide(
  state: State<Plan>,
  plan: Plan,
  { runId, step, position }: { runId: string; step: PlanStep; position: LoopPosition },
): Promise<{ next: string } | { end: LoopEnd } | undefined> {
  const { map } = step;
  if (map === undefined) return undefined;
  const { iterations, item, output } = position;
  const index = iterations - 1;
  const reads = readsOfLoop(map);
  try {
    return await withScope(state, plan, { runId, reads }, ({ scope }) => {
      const decided = decideLoop(map, scope, { index, item, output });
      return 'next' in decided ? { next: JSON.stringify(decided.next) } : decided;
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined || !FAILURES.has(code)) throw error;
    const failure = { type: 'non_retryable', code, message };
    await failStep(state, plan, runId, { step, opening: undefined }, failure, STEP.waiting);
    return undefined;
  }
}

/** What the run's data is to blame for: the decision comes out the same each time. */
const FAILURES: ReadonlySet<string> = new Set(['EXPRESSION_FAILED', 'DATA_CORRUPTION', 'TURN_REFUSED']);

function readsOfLoop({ until, turns }: PlanMap): number[] {
  const next = turns?.form === 'conversation' ? turns.next : undefined;
  return [...new Set([...(until?.reads ?? []), ...(next?.reads ?? [])])].sort((left, right) => left - right);
}
