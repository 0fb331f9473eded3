import { FlotillaError, type Json } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { type ClaimedCleanup, SourceReading, type State, type StoredCleanup } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import type { Assignment, Chain } from '../chain.ts';
import { isRedisOutage } from '../retry-until-answered.ts';

/** What a compensation is given, as `input`. */
interface CompensationInput {
  stepId: string;
  /** What the step was given; absent when that can no longer be told. */
  input?: Json;
  /** What it has returned. */
  output: Json;
  /** Why it is undone: how the run ends, and what ended it. */
  outcome: string;
  error: Json;
}

export interface CleanupToResolve {
  chain: Chain;
  assignment: Assignment;
  cleanup: ClaimedCleanup;
  stored: StoredCleanup;
}

/** What the handler of a cleanup is given: what was registered with it, or what its step was given and has returned. */
export async function resolveCleanupInput(
  { state, logger }: { state: State<Plan>; logger: Logger },
  { chain, assignment, cleanup, stored }: CleanupToResolve,
): Promise<Json> {
  if (stored.registered !== undefined) return JSON.parse(stored.registered.inputJson) as Json;
  const { claimed, step, ending } = cleanup;
  const reading = new SourceReading();
  const sources = await state
    .run(chain.runId, chain.tag)
    .sources(chain.plan, claimed.createdAt, reading)
    .decode([{ key: assignment.key, ...step }])
    .finally(() => reading.end());
  const [source] = sources.values();
  const given: CompensationInput = {
    stepId: assignment.stepId,
    output: source?.output ?? null,
    outcome: { c: 'cancelled', t: 'timed-out' }[ending.charAt(0)] ?? 'failed',
    error: JSON.parse(ending.slice(2) || 'null') as Json,
  };
  try {
    given.input = (await chain.resolveInput(assignment, claimed)).input;
  } catch (error) {
    if (!(error instanceof FlotillaError) || isRedisOutage(error)) throw error;
    const about = { error, runId: chain.runId, stepId: assignment.stepId };
    logger.warn(about, 'running a compensation without the input of its step');
  }
  return { ...given };
}
