import { breakerReason } from '@flotilla/breakers';
import type { Plan } from '@flotilla/engine';
import { type OutgoingTask, type TaskQueues, type TaskStep, taskId } from '@flotilla/queue';
import { DUE, type DueTimer, type State } from '@flotilla/state';
import type { BreakerView } from './breaker-view.ts';
import type { FleetView } from './fleet-view.ts';
import type { StepToDispatch } from './start-step.ts';

/** A dispatched step whose claim has not come after this long is looked at: its hint may be lost. */
export const RECHECK_MS = 5000;
/** Tasks of one addBulk: what Redis does in a few milliseconds. */
const MOST_TASKS_AT_ONCE = 250;

/**
 * Hands steps to BullMQ, batched by what their handlers usually take. `origin`, the id of the oldest of their outbox
 * entries, says when, on Redis' clock, they became ready, and makes the ids of tasks that repeat it the same. Steps that
 * nobody can take, and those behind a breaker that is open, are parked instead.
 *
 * Answers the steps that became tasks: only their hints can be lost.
 */
export async function dispatchSteps(
  state: State<Plan>,
  queues: TaskQueues,
  fleet: FleetView,
  breakers: BreakerView,
  steps: readonly StepToDispatch[],
  origin: string,
): Promise<StepToDispatch[]> {
  const parked: Promise<void>[] = [];
  const free = steps.filter(({ breaker, runId, key, group }) => {
    const parkMs = breaker === undefined ? undefined : breakers.parkMs(breaker, runId);
    if (parkMs === undefined) return true;
    parked.push(
      state.transitions.park({ tag: state.tagOf(runId), runId, key }, group, breakerReason(breaker!), parkMs),
    );
    return false;
  });
  const byHandler = Map.groupBy(free, ({ queue, use }) => `${queue}\n${use}`);
  const tasks = new Map<string, OutgoingTask[]>();
  const handedOut: StepToDispatch[] = [];
  // Entry ids begin with Redis' milliseconds.
  const at = Number.parseInt(origin, 10);
  for (const group of byHandler.values()) {
    const { queue, use } = group[0]!;
    const obstacle = fleet.obstacleTo(queue, use);
    if (obstacle !== undefined) {
      const againInMs = fleet.lookAgainInMs(queue, use);
      for (const { runId, key, group: stepGroup } of group) {
        parked.push(state.transitions.park({ tag: state.tagOf(runId), runId, key }, stepGroup, obstacle, againInMs));
      }
      continue;
    }
    handedOut.push(...group);
    const list = tasks.get(queue) ?? [];
    tasks.set(queue, list);
    for (let first = 0; first < group.length; ) {
      // Asked anew each time: what the first steps of a large fan of a new handler take is known before its last are sent.
      const size = fleet.stepsPerTask(queue, use);
      const chunk = group.slice(first, first + size);
      first += size;
      const i = chunk.map(({ runId, definitionHash, key }): TaskStep => [runId, definitionHash, key]);
      const { runId, key } = chunk[0]!;
      list.push({ id: taskId(origin, runId, key), name: nameOf(chunk), at, task: { v: 1, i } });
      if (list.length === MOST_TASKS_AT_ONCE) await queues.add(queue, list.splice(0));
    }
  }
  for (const [queue, list] of tasks) if (list.length > 0) await queues.add(queue, list);
  await Promise.all(parked);
  return handedOut;
}

/** What a task is called: few names, for metrics may be split by them. */
function nameOf(steps: readonly StepToDispatch[]): string {
  const { label } = steps[0]!;
  return steps.every((step) => step.label === label) ? label : `${label} and others`;
}

/** Due entries that look again at the hints of dispatched steps. */
export function recheckTimersOf(steps: readonly StepToDispatch[]): DueTimer[] {
  return steps.map(({ runId, key }) => ({ letter: DUE.hint, key, runId, inMs: RECHECK_MS }));
}

/** Due entries of the queued and total time. Set before a worker can claim the step: claiming ends the queued time. */
export function limitTimersOf(steps: readonly StepToDispatch[]): DueTimer[] {
  const timers: DueTimer[] = [];
  for (const { runId, key, queuedMs, totalMs } of steps) {
    if (queuedMs !== undefined) timers.push({ letter: DUE.queuedLimit, key, runId, inMs: queuedMs });
    if (totalMs !== undefined) timers.push({ letter: DUE.totalLimit, key, runId, inMs: totalMs });
  }
  return timers;
}
