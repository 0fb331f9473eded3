import { isSettledStepStatus, isTerminalRunStatus, type RunView } from '@flotilla/contracts';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { headerField } from './run-fields.ts';
import { HEADER_STATUS, type StepHeader } from './step-header.ts';
import { stepKeys } from './step-pages.ts';

/** Every step has to be looked at; a run is read often, by those who wait for it. */
const MOST_COUNTED_STEPS = 2000;

/** How many steps have settled, items of maps apart: all when the run has ended; undefined while one of very many steps runs. */
export async function countSettled(
  dependencies: ReadDependencies,
  { runId, status }: Pick<RunView, 'runId' | 'status'>,
  plan: PlanShape,
): Promise<number | undefined> {
  const { length } = plan.steps;
  if (isTerminalRunStatus(status)) return length;
  if (length > MOST_COUNTED_STEPS) return undefined;
  const key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  const headers = await dependencies.client.hmget(key, ...stepKeys(plan, 0, length).map((step) => headerField(step)));
  return headers.filter((header) => header != null && isSettled(header)).length;
}

function isSettled(header: string): boolean {
  return isSettledStepStatus(HEADER_STATUS[header.charAt(0) as StepHeader['state']]);
}
