import { type EventType, FlotillaError, type RunStatus } from '@flotilla/contracts';
import { hasFailedForGood, openingOf } from './dead-letter-view.ts';
import { FIELD, RUN } from './format.ts';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { readHistory } from './read-history.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { retryRun } from './retry-run.ts';
import { headerField } from './run-fields.ts';
import { hasEnded, parseRunMeta, runStatusOf } from './run-record.ts';
import type { Transitions } from './transitions.ts';

type RedriveDependencies = ReadDependencies & { plan: PlanShape; transitions: Transitions };

export interface RedrivenRun {
  status: RunStatus;
  opening: number;
  /** True when the run had been opened again before: nothing was done. */
  alreadyRedriven: boolean;
  /** By step: whether this call has it made anew. One that was discarded meanwhile is not. */
  redriven: boolean[];
}

/**
 * Makes dead letters of one run anew: one retry of exactly these steps, however many. Those that are not named stay dead.
 * `opening`: that of the letters that the caller has seen. RUN_NOT_FOUND, STEP_NOT_FOUND, DEAD_LETTER_NOT_FOUND,
 * RUN_STILL_ACTIVE (a step has failed, but its run has not ended).
 */
export async function redriveDeadLetters(
  dependencies: RedriveDependencies,
  runId: string,
  stepIds: readonly string[],
  opening?: number,
): Promise<RedrivenRun> {
  const { plan } = dependencies;
  const steps = indexesOf(plan, runId, stepIds);
  for (;;) {
    const state = await readDeadLetterState(dependencies, runId, steps);
    const already = {
      ...{ status: runStatusOf(state.letter), opening: state.opening, alreadyRedriven: true },
      redriven: steps.map(() => false),
    };
    if (opening !== undefined && opening < state.opening) return already;
    if (opening !== undefined && opening > state.opening) throw notOpened(runId, opening, state.opening);
    const listed = state.isDead ? steps.filter((_, index) => state.isListed[index]) : [];
    if (listed.length > 0) {
      const redriven = await openAgain(dependencies, runId, listed, state.opening);
      // Another look: some of them were discarded since this one.
      if (redriven === undefined) continue;
      return { ...redriven, redriven: state.isListed.map((isListed) => isListed && !redriven.alreadyRedriven) };
    }
    // Whatever it failed with before has been taken up.
    const others = steps.filter((_, index) => !state.hasFailed[index]);
    if (state.opening > 1 && (await hasOneFailedBefore(dependencies, runId, state.createdAt, others))) return already;
    if (state.isActive) {
      throw new FlotillaError(
        'RUN_STILL_ACTIVE',
        `run ${runId} is ${runStatusOf(state.letter)}; its steps can be redriven when it has ended`,
      );
    }
    throw notFound(runId, stepIds);
  }
}

const FAILURES: ReadonlySet<EventType> = new Set<EventType>(['step-failed', 'step-quarantined']);
const HISTORY_PAGE = 1000;

/** Only the history knows: when a step is made anew, what it had failed with is taken away. */
async function hasOneFailedBefore(
  dependencies: RedriveDependencies,
  runId: string,
  createdAt: number,
  steps: readonly number[],
): Promise<boolean> {
  const ids = new Set(steps.map((step) => dependencies.plan.steps[step]!.id));
  for (let after: number | undefined = -1; after !== undefined && ids.size > 0; ) {
    const page = await readHistory(dependencies, runId, createdAt, { after, limit: HISTORY_PAGE });
    if (page.events.some(({ type, stepId }) => FAILURES.has(type) && ids.has(stepId ?? ''))) return true;
    after = page.events.length < HISTORY_PAGE ? undefined : page.next;
  }
  return false;
}

function notOpened(runId: string, opening: number, real: number): FlotillaError {
  const message = `run ${runId} has no opening ${opening}, the last one is ${real}`;
  return new FlotillaError('DEAD_LETTER_NOT_FOUND', message);
}

/** Undefined when somebody has discarded one of the letters meanwhile: nothing was done. */
async function openAgain(
  dependencies: RedriveDependencies,
  runId: string,
  listed: readonly number[],
  opening: number,
): Promise<Omit<RedrivenRun, 'redriven'> | undefined> {
  const steps = listed.map((step) => dependencies.plan.steps[step]!.id);
  try {
    // With the opening, of any number of requests at once one opens the run.
    const { status, ...retried } = await retryRun(dependencies, runId, { steps, opening, mustBeDead: true });
    return { status, opening: retried.opening, alreadyRedriven: retried.alreadyRetried };
  } catch (error) {
    if (error instanceof FlotillaError && error.code === 'DEAD_LETTER_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Takes dead letters of one run off the list; one answer each: whether it was on it. Errors as of `redriveDeadLetters`. */
export async function discardDeadLetters(
  dependencies: RedriveDependencies,
  runId: string,
  stepIds: readonly string[],
  opening?: number,
): Promise<boolean[]> {
  const { plan, transitions } = dependencies;
  const steps = indexesOf(plan, runId, stepIds);
  const { isActive, hasFailed, opening: real } = await readDeadLetterState(dependencies, runId, steps);
  if (opening !== undefined && opening > real) throw notOpened(runId, opening, real);
  if (!isActive && hasFailed.includes(false)) throw notFound(runId, stepIds);
  const tag = tagOfRun(dependencies, runId);
  const done: boolean[] = [];
  for (let first = 0; first < steps.length; first += DISCARDED_AT_ONCE) {
    const keys = steps.slice(first, first + DISCARDED_AT_ONCE).map(String);
    const reply = await transitions.discardDeadLetters(tag, runId, opening, keys);
    if (Array.isArray(reply)) done.push(...reply);
    else if (done.length === 0) throw refusalOf(runId, stepIds, reply.refused);
    // It was opened again between: those are not on the list any more.
    else done.push(...keys.map(() => false));
  }
  return done;
}

/** Letters of one script call: a run may have ten thousand, and Redis serves nobody else meanwhile. */
const DISCARDED_AT_ONCE = 500;

function refusalOf(runId: string, stepIds: readonly string[], refused: RunStatus): FlotillaError {
  if (refused === 'succeeded' || refused === 'cancelled') return notFound(runId, stepIds);
  const state = refused === 'failed' || refused === 'timed-out' ? 'was opened again since' : `is ${refused}`;
  return new FlotillaError('RUN_STILL_ACTIVE', `run ${runId} ${state}: nothing was discarded`);
}

/** An item stands for its map. */
export function indexesOf(plan: PlanShape, runId: string, stepIds: readonly string[]): number[] {
  return stepIds.map((stepId) => {
    const index = plan.stepIndex.get(stepId.replace(/\[\d+\]$/, ''));
    if (index === undefined) throw new FlotillaError('STEP_NOT_FOUND', `run ${runId} has no step ${stepId}`);
    return index;
  });
}

interface DeadLetterState {
  /** Of the run's status. */
  letter: string;
  createdAt: number;
  /** It has ended failed or timed out. */
  isDead: boolean;
  isActive: boolean;
  opening: number;
  /** By step. */
  isListed: boolean[];
  hasFailed: boolean[];
}

async function readDeadLetterState(
  dependencies: ReadDependencies,
  runId: string,
  steps: readonly number[],
): Promise<DeadLetterState> {
  const { client } = dependencies;
  const tag = tagOfRun(dependencies, runId);
  const [[packed, reopened, ...headers], scores] = await Promise.all([
    client.hmget(stateKey(tag, 'run', runId), FIELD.meta, FIELD.opening, ...steps.map((step) => headerField(step))),
    client.zmscore(stateKey(tag, 'deadLetters', runId), ...steps.map(String)),
  ]);
  if (packed == null) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  const { letter, createdAt } = parseRunMeta(packed);
  return {
    letter,
    createdAt,
    isDead: letter === RUN.failed || letter === RUN.timedOut,
    isActive: !hasEnded(letter),
    opening: openingOf(reopened),
    isListed: scores.map((score) => score != null),
    // While a run is being opened again, the headers of what failed before are on their way out.
    hasFailed: headers.map((header) => letter !== RUN.reopening && hasFailedForGood(header)),
  };
}

export function notFound(runId: string, stepIds: readonly string[]): FlotillaError {
  const what =
    stepIds.length === 1
      ? `step ${stepIds[0]} of run ${runId} is no dead letter`
      : `no step of run ${runId} is a dead letter`;
  return new FlotillaError(
    'DEAD_LETTER_NOT_FOUND',
    `${what}: it has not failed, or its run did not end by it, or it was discarded, or failed before dead letters were kept`,
  );
}
