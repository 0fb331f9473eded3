import type { HistoryEvent, RunLedger } from '@flotilla/contracts';

type PathEntry = RunLedger['criticalPath'][number];

export interface StepNeeds {
  id: string;
  /** Ids of the steps that it needs. */
  needs: readonly string[];
}

interface StepTimes {
  startedAt?: number;
  endedAt?: number;
}

/**
 * The chain of steps that decided when the run ended (of one that has not: when it got where it is): from the step that
 * ended last, back to the need that it could not begin before, to a step that needs nothing.
 */
export function criticalPath(
  events: Iterable<HistoryEvent>,
  steps: readonly StepNeeds[],
  { createdAt, asOf }: { createdAt: number; asOf: number },
): PathEntry[] {
  const times = timesOf(events);
  const byId = new Map(steps.map((step) => [step.id, step]));
  const path: PathEntry[] = [];
  let current = lastStep(times, byId);
  while (current !== undefined) {
    const { startedAt, endedAt } = times.get(current) ?? {};
    const before = decisiveNeed(byId.get(current)?.needs ?? [], times, startedAt ?? endedAt ?? asOf);
    const readyAt = before === undefined ? createdAt : (times.get(before)?.endedAt ?? createdAt);
    path.unshift({
      stepId: current,
      readyAt,
      ...(startedAt !== undefined && { startedAt }),
      ...(endedAt !== undefined && { endedAt }),
      ms: Math.max(0, (endedAt ?? asOf) - readyAt),
    });
    current = before;
  }
  return path;
}

/** Of the steps of the definition: the first start of an attempt (or of an item), and when it settled last. */
function timesOf(events: Iterable<HistoryEvent>): Map<string, StepTimes> {
  const times = new Map<string, StepTimes>();
  for (const { type, stepId, at } of events) {
    if (stepId === undefined) continue;
    const isItem = stepId.endsWith(']');
    const id = isItem ? stepId.slice(0, stepId.lastIndexOf('[')) : stepId;
    const known = times.get(id) ?? {};
    if (type === 'attempt-started') times.set(id, { startedAt: at, ...known });
    if (!isItem && /^step-(succeeded|failed|skipped|cancelled|quarantined)$/.test(type)) {
      times.set(id, { ...known, endedAt: at });
    }
  }
  return times;
}

/** One that is under way decides before any that has ended. */
function lastStep(times: ReadonlyMap<string, StepTimes>, known: ReadonlyMap<string, StepNeeds>): string | undefined {
  let last: { id: string; at: number } | undefined;
  for (const [id, { startedAt, endedAt }] of times) {
    if (!known.has(id)) continue;
    const at = endedAt ?? (startedAt === undefined ? undefined : Number.MAX_SAFE_INTEGER);
    if (at !== undefined && (last === undefined || at > last.at)) last = { id, at };
  }
  return last?.id;
}

/** Of the needs that had settled by then the one that settled last. */
function decisiveNeed(needs: readonly string[], times: ReadonlyMap<string, StepTimes>, by: number): string | undefined {
  let last: { id: string; at: number } | undefined;
  for (const id of needs) {
    const at = times.get(id)?.endedAt;
    if (at !== undefined && at <= by && (last === undefined || at > last.at)) last = { id, at };
  }
  return last?.id;
}
