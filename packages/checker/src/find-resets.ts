import type { EventType, HistoryEvent } from '@flotilla/contracts';
import type { RecordedRun } from './recording.ts';

/** A retry of the run, and the steps and items that it makes anew. */
export interface Reset {
  event: HistoryEvent;
  steps: ReadonlySet<string>;
}

export interface ResetRules {
  needsOf(stepId: string): readonly string[];
  joinsAny(stepId: string): boolean;
}

const SETTLING: ReadonlySet<EventType> = new Set<EventType>([
  'step-succeeded',
  'step-failed',
  'step-skipped',
  'step-quarantined',
]);

/**
 * What each retry should make anew, worked out from the history and not from what the engine says: what failed or never
 * settled, what was undone when the run ended, what `from` names, and all that depends on either.
 */
export function findResets({ steps: views, events }: RecordedRun, rules: ResetRules): Reset[] {
  const resets: Reset[] = [];
  const stepIds = views.map(({ stepId }) => stepId);
  const chosen = new Map(
    views.map(({ stepId, kind, output }) => [
      stepId,
      kind === 'branch' ? (output as { chosen?: string } | undefined)?.chosen : undefined,
    ]),
  );
  const isBranch = new Set(views.filter(({ kind }) => kind === 'branch').map(({ stepId }) => stepId));
  const settled = new Map<string, EventType>();
  let undone = new Set<string>();
  for (const event of events) {
    const { type, stepId } = event;
    if (stepId !== undefined && SETTLING.has(type)) settled.set(stepId, type);
    if (stepId !== undefined && (type === 'cleanup-succeeded' || type === 'cleanup-failed')) undone.add(stepId);
    if (type !== 'run-retried') continue;
    const steps = stepsAnew(event, stepIds, settled, {
      ...rules,
      isUndone: (stepId) => undone.has(stepId),
      // A branch that chose another has made nothing ready.
      makesReady: (need, target) => !isBranch.has(need) || chosen.get(need) === target,
    });
    for (const step of steps) settled.delete(step);
    undone = new Set();
    resets.push({ event, steps });
  }
  return resets;
}

function stepsAnew(
  { data = {} }: HistoryEvent,
  stepIds: readonly string[],
  settled: ReadonlyMap<string, EventType>,
  rules: ResetRules & { makesReady(need: string, target: string): boolean; isUndone(stepId: string): boolean },
): ReadonlySet<string> {
  const only = data['steps'] as string[] | undefined;
  const from = data['from'] as string | undefined;
  const known = new Map<string, boolean>();
  // An item that was undone makes its map go on.
  const undoneMaps = new Set(stepIds.filter(rules.isUndone).map((stepId) => stepId.replace(/\[\d+\]$/, '')));
  const isAnew = (stepId: string): boolean => {
    const before = known.get(stepId);
    if (before !== undefined) return before;
    known.set(stepId, false);
    const end = settled.get(stepId);
    const hasFailed = end === 'step-failed' || end === 'step-quarantined';
    const isRoot =
      undoneMaps.has(stepId) || end === undefined || stepId === from || (hasFailed && (only?.includes(stepId) ?? true));
    const anew = isRoot || dependsOnAnew(stepId);
    known.set(stepId, anew);
    return anew;
  };
  const dependsOnAnew = (stepId: string): boolean => {
    const needs = rules.needsOf(stepId);
    const isReadyBy = (need: string) =>
      settled.get(need) === 'step-succeeded' && !isAnew(need) && rules.makesReady(need, stepId);
    if (rules.joinsAny(stepId) && needs.some(isReadyBy)) return false;
    return needs.some(isAnew);
  };
  const itemIsAnew = (stepId: string, map: string): boolean => {
    if (!isAnew(map)) return false;
    return rules.isUndone(stepId) || settled.get(stepId) !== 'step-succeeded' || map === from || dependsOnAnew(map);
  };
  return new Set(
    stepIds.filter((stepId) => {
      const map = stepId.replace(/\[\d+\]$/, '');
      return map === stepId ? isAnew(stepId) : itemIsAnew(stepId, map);
    }),
  );
}
