import { isFlotillaError } from '@flotilla/contracts';
import { decideEnd, failureOfStep, type Plan } from '@flotilla/engine';
import { parseStepKey, type State, type UndecidedAttempt } from '@flotilla/state';
import { type Logger, type Meters, NO_METERS } from '@flotilla/telemetry';
import type { Calm } from '../calm.ts';
import { endOverdueCleanup, isCleanup } from '../decisions/cleanups.ts';
import { failDamaged } from '../decisions/fail-damaged.ts';
import { endingOfOverdue } from '../decisions/overdue-attempt.ts';
import { drainPartitions } from '../drain-partitions.ts';
import { Loop } from './loop.ts';

export interface ReclaimDependencies {
  state: State<Plan>;
  calm: Calm;
  logger: Logger;
  meters?: Meters;
  /** Lost attempts after which a step is quarantined, whatever it was lost with. Default 99. */
  crashLimit?: number;
  random?: () => number;
}

const INTERVAL_MS = 500;
/** While no attempt is under way. Well below `PAUSE_MS`, or the first attempts after a calm would be looked after late. */
const CALM_INTERVAL_MS = 1000;
/**
 * Nobody looked for this long: Redis or all schedulers paused, and living workers may not have been able to renew. Less
 * than that cannot end the lease of a living worker: leases last 9 s and are renewed every 2.5 s.
 */
const PAUSE_MS = 4000;
/** More than one renewal interval of the workers. */
const SUSPENSION_MS = 3000;
/** The end of all patience, a quarter of an hour of losses at least: what ends workers is found out long before, by workers. */
const DEFAULT_CRASH_LIMIT = 99;

/** Ends attempts whose worker's lease ran out, and attempts whose worker did not keep their time limit. */
export function createReclaimLoop(dependencies: ReclaimDependencies): Loop {
  return new Loop({
    name: 'reclaim-leases',
    turn: () => turn(dependencies),
    intervalMs: INTERVAL_MS,
    logger: dependencies.logger,
  });
}

async function turn(dependencies: ReclaimDependencies): Promise<number> {
  const { state, calm, logger, meters = NO_METERS, crashLimit = DEFAULT_CRASH_LIMIT } = dependencies;
  let attempts = 0;
  const hasMore = await drainPartitions(state.tags, async (tag, limit) => {
    const settings = { limit, pauseMs: PAUSE_MS, suspensionMs: SUSPENSION_MS, crashLimit };
    const { lost, undecided, lookedAt } = await state.transitions.reclaim(tag, settings);
    for (const attempt of undecided) await tryToEnd(dependencies, tag, attempt);
    attempts += lost;
    // Entries of living workers count, too: a dead worker's may stand behind any number of them.
    return lookedAt;
  });
  if (attempts > 0) {
    logger.warn({ attempts }, 'attempts were lost with their worker; retrying them');
    meters.add('flotilla_lease_losses_total', {}, attempts);
  }
  if (hasMore) return 0;
  return calm.isCalm ? CALM_INTERVAL_MS : INTERVAL_MS;
}

/** A run that is damaged keeps none of the others waiting. */
async function tryToEnd(dependencies: ReclaimDependencies, tag: string, attempt: UndecidedAttempt): Promise<void> {
  const { state, logger } = dependencies;
  if (attempt.why === 'damaged') {
    await failDamaged(attempt, { state, logger });
    return;
  }
  try {
    await end(dependencies, tag, attempt);
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    // Its lease entry stays: another scheduler may understand the definition.
    if (error.code === 'DEFINITION_NOT_UNDERSTOOD')
      logger.error({ ...attempt, error }, 'leaving a lost attempt to other schedulers');
    else if (error.code === 'DATA_CORRUPTION') await failDamaged(attempt, { state, logger }, error.message);
    else throw error;
  }
}

async function end(
  { state, logger, random = Math.random }: ReclaimDependencies,
  tag: string,
  { why, key, runId, fenceOffset, attemptId, definitionHash }: UndecidedAttempt,
): Promise<void> {
  const found = await state.run(runId, tag).readStep(key);
  if (found === undefined) return;
  const { createdAt, header } = found;
  const plan = await state.readPlan(tag, definitionHash);
  const { step: index, item } = parseStepKey(key);
  const step = plan.steps[index]!;
  const isCrash = why === 'crashes';
  const endedAt = await state.now();
  const error = isCrash
    ? { type: 'crash', code: 'CRASH_LIMIT', message: 'the step was lost with its worker too often' }
    : {
        type: 'timeout',
        code: 'TIMEOUT',
        message: 'the attempt exceeded its time limit and its worker did not end it',
      };
  const failures = (header?.failures ?? 0) + 1;
  const elapsedMs = endedAt - (header?.firstAt ?? createdAt);
  const overdue = { isCrash, failures, elapsedMs, random: random() };
  const attempt = { fence: createdAt + fenceOffset, createdAt, attemptId };
  if (isCleanup(key)) {
    await endOverdueCleanup({ state, logger }, plan, { ...attempt, runId, key }, { error, overdue });
    return;
  }
  const decision = await decideEnd(endingOfOverdue(overdue, step.work?.retry));
  await state.transitions.fail({
    ...{ tag, runId, key, attempt },
    event: isCrash ? 'attempt-lost' : 'attempt-timed-out',
    retryInMs: decision.end === 'retry' ? decision.inMs : undefined,
    quarantine: isCrash,
    ...failureOfStep(plan, { step, item }, error),
  });
}
