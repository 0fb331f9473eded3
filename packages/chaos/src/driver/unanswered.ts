import type { Violation } from '@flotilla/checker';

/**
 * Submissions of which nobody said that they were accepted, a sentence each. A run that was acknowledged and gone with a Redis
 * that was killed explains that another try of its submission found no answer; nothing else does.
 */
export function findUnanswered(
  unanswered: ReadonlyMap<string, string>,
  lostWithRedis: readonly Pick<Violation, 'invariant' | 'runId'>[],
): string[] {
  const gone = new Set(lostWithRedis.flatMap(({ invariant, runId }) => (invariant === 'V1' ? [runId] : [])));
  return Array.from(unanswered)
    .filter(([runId]) => !gone.has(runId))
    .map(([runId, why]) => `${runId} was submitted and never answered: ${why}`);
}
