import { canonicalJson, countedEdges, isPoison, runErrorOf } from '@flotilla/engine';
import type { AttemptAddress, ClaimedAttempt, Loss } from '@flotilla/state';
import { AttemptControl } from './attempt-control.ts';
import type { Assignment, Chain } from './chain.ts';
import { edgesOfSuccess } from './continuation.ts';
import type { Executor, LiveAttempt } from './executor.ts';
import { untilAnswered } from './until-answered.ts';

/** A claimed attempt, as the process that is to make it must be told. Plain data. */
export interface AttemptToMake {
  runId: string;
  definitionHash: string;
  key: string;
  attemptId: string;
  claimed: ClaimedAttempt;
}

/**
 * How an attempt went that had a process to itself. `ended`: it was committed, failed or handed back there. `died`: the
 * process ended before that; `alone` when no other attempt had been made in it. `busy`: there is no process for it now.
 * `impossible`: none can be had.
 */
export type AloneEnd = { how: 'ended' | 'busy' | 'impossible' } | { how: 'died'; message: string; alone: boolean };

/** Makes attempts in processes of their own, one attempt at a time in each. Never rejects. */
export type MakeAlone = (attempt: AttemptToMake, control: AttemptControl) => Promise<AloneEnd>;

/** A step whose process has ended is tried again after this long: whatever ended it may pass. */
const AGAIN_MS = 500;
/** A step that waits for a process of its own is looked at again after this long. */
const BUSY_MS = 2000;
const NO_LIMITS = { attemptMs: Number.POSITIVE_INFINITY, heartbeatMs: undefined, totalLeftMs: undefined };

/**
 * Has an attempt of a suspected step made in a process of its own, and charges the step when that process ends by it.
 * Answers whether the attempt is over; if not, it has yet to be made.
 */
export async function makeAttemptAlone(
  executor: Executor,
  makeAlone: MakeAlone,
  chain: Chain,
  assignment: Assignment,
  attemptId: string,
  claimed: ClaimedAttempt,
  live: Set<LiveAttempt>,
): Promise<boolean> {
  const { runId, tag, plan, task } = chain;
  const { key, stepId } = assignment;
  // The process that makes the attempt keeps its limits; here it is only aborted.
  const control = new AttemptControl(NO_LIMITS);
  const entry: LiveAttempt = { runId, stepId, key, attemptId, tag, control, task };
  const { fence, createdAt } = claimed;
  const address: AttemptAddress = { tag, runId, key, fence, createdAt, attemptId };
  live.add(entry);
  if (executor.handsBack) control.abort('drain');
  try {
    const end = await makeAlone({ runId, definitionHash: plan.hash, key, attemptId, claimed }, control);
    if (end.how === 'impossible') return false;
    if (end.how === 'busy') {
      const { transitions } = executor.options.state;
      await untilAnswered(() => transitions.parkAttempt(address, 'own-process', BUSY_MS));
    } else if (end.how === 'died') {
      await untilAnswered(() => charge(executor, chain, assignment, address, end));
    }
    return true;
  } finally {
    control.stop();
    live.delete(entry);
  }
}

/** A step that was lost too often and cannot be made alone is not made at all. */
export async function quarantineUnjudged(
  executor: Executor,
  chain: Chain,
  assignment: Assignment,
  attemptId: string,
  { fence, createdAt, crashes }: ClaimedAttempt,
): Promise<void> {
  const { tag, runId } = chain;
  const address: AttemptAddress = { tag, runId, key: assignment.key, fence, createdAt, attemptId };
  const message = `the step was lost with its worker ${crashes} times, and no process of its own can be had to find out why`;
  executor.options.logger.error({ runId, stepId: assignment.stepId, crashes }, 'a step was lost too often');
  const end = { poison: true, alone: false, message };
  await untilAnswered(() => failLost(executor, chain, assignment, address, end));
}

/** The step has ended the process that it had to itself: again in a moment, or never. */
async function charge(
  executor: Executor,
  chain: Chain,
  assignment: Assignment,
  address: AttemptAddress,
  { message: how, alone }: Extract<AloneEnd, { how: 'died' }>,
): Promise<void> {
  const { stepId } = assignment;
  const { state, workerId, logger } = executor.options;
  const losses: Loss[] = [...(await state.readLosses(address)), { worker: workerId, alone }];
  const poison = isPoison(losses);
  const workers = [...new Set(losses.map(({ worker }) => worker))].join(', ');
  const message = poison
    ? `the step ends its process (${how}): lost ${losses.length} times, with the workers ${workers}`
    : `the process that the step had to itself ended (${how})`;
  logger.warn({ runId: address.runId, stepId, how, quarantined: poison }, 'a step has ended its own process');
  await failLost(executor, chain, assignment, address, { poison, alone, message });
}

async function failLost(
  executor: Executor,
  { plan }: Chain,
  { step, work, item, parentKey }: Assignment,
  address: AttemptAddress,
  { poison, alone, message }: { poison: boolean; alone: boolean; message: string },
): Promise<void> {
  const error = { type: 'crash', code: poison ? 'CRASH_LIMIT' : 'WORKER_LOST', message };
  await executor.options.state.transitions.fail({
    ...address,
    attempt: address,
    event: 'attempt-lost',
    errorJson: canonicalJson(error),
    handler: work.use,
    retryInMs: poison ? undefined : AGAIN_MS,
    failFast: plan.failFast,
    tolerated: step.tolerated,
    endStep: step.endStep,
    hasTotalTimer: work.timeouts.totalMs !== undefined,
    parentKey,
    runErrorJson: canonicalJson(runErrorOf(step, item, error)),
    quarantine: poison,
    alone,
    edges: countedEdges(plan, step.index, 'failed'),
    ...(item === undefined ? {} : { successEdges: edgesOfSuccess(plan, step.index) }),
  });
}
