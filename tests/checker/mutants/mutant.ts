import type { Chance } from '@flotilla/chaos';
import type { Recording } from '@flotilla/checker';
import type { EventType, HistoryEvent, RunStatus } from '@flotilla/contracts';

/** What may be changed, all the way down. */
type Draft<Value> = Value extends readonly (infer Item)[]
  ? Draft<Item>[]
  : Value extends object
    ? { -readonly [Key in keyof Value]: Draft<Value[Key]> }
    : Value;

export type DraftRecording = Draft<Recording>;
export type DraftRun = DraftRecording['runs'][number];
export type DraftEvent = Draft<HistoryEvent>;

/** One way to break one invariant and no other. */
export interface Mutant {
  /** What is wrong with the recording, as docs/reference/invariants.md lists it. */
  name: string;
  /** Changes a good recording. */
  mutate(recording: DraftRecording, chance: Chance): void;
}

/** Moves whatever happens from a moment on; faults and timers have no excuse for so much. */
export const MUCH_LATER_MS = 600_000;

export function pickFrom<Item>(chance: Chance, items: readonly Item[], what: string): Item {
  if (items.length === 0) throw new Error(`the recording has no ${what}: the mutant has nothing to change`);
  return chance.pick(items);
}

export interface Place {
  run: DraftRun;
  event: DraftEvent;
  index: number;
}

/** All events that match, with their place. */
export function placesOf({ runs }: DraftRecording, matches: (event: DraftEvent, run: DraftRun) => boolean): Place[] {
  return runs.flatMap((run) =>
    run.events.flatMap((event, index) => (matches(event, run) ? [{ run, event, index }] : [])),
  );
}

export function hasAfter(run: DraftRun, { seq, stepId }: DraftEvent, type: EventType): boolean {
  return run.events.some((event) => event.seq > seq && event.stepId === stepId && event.type === type);
}

export function countOf(run: DraftRun, stepId: string | undefined, type: EventType): number {
  return run.events.filter((event) => event.stepId === stepId && event.type === type).length;
}

export function insert({ run }: { run: DraftRun }, index: number, ...events: DraftEvent[]): void {
  run.events.splice(index, 0, ...events.map((event) => structuredClone(event)));
  renumber(run);
}

export function remove(run: DraftRun, ...events: DraftEvent[]): void {
  run.events = run.events.filter((event) => !events.includes(event));
  renumber(run);
}

/** So that the history is whole, and only the wrong is wrong. */
function renumber(run: DraftRun): void {
  run.events.forEach((event, seq) => {
    event.seq = seq;
  });
}

export function shiftFrom(run: DraftRun, index: number, byMs: number): void {
  for (const event of run.events.slice(index)) event.at += byMs;
}

export function viewOf(run: DraftRun, stepId: string | undefined) {
  return run.steps.find((step) => step.stepId === stepId)!;
}

/** Changes the run's status wherever it is told. */
export function setStatus({ listings }: DraftRecording, { run }: DraftRun, status: RunStatus): void {
  for (const listing of listings) {
    const entry = listing.runs.find(({ runId }) => runId === run.runId);
    if (entry === undefined) continue;
    listing.counts[entry.status]! -= 1;
    listing.counts[status] = (listing.counts[status] ?? 0) + 1;
    entry.status = status;
  }
  run.status = status;
}

/** Definition of the step or of the items of its map. */
export function workOf(run: DraftRun, stepId: string | undefined) {
  const step = run.definition?.steps[(stepId ?? '').replace(/\[\d+\]$/, '')];
  return step?.kind === 'map' ? step.each : step;
}

/** Redis, which answers before it writes, is killed so long after a moment. */
export function killRedis({ faults }: DraftRecording, after: number, laterMs: number): void {
  const at = after + laterMs;
  const proof = ['Redis was killed'];
  faults.push({
    faultId: 'made',
    kind: 'kill-redis',
    startAt: at,
    endAt: at,
    targets: ['redis'],
    proof,
    unwrittenUntil: at,
  });
}

/** More than Redis may keep to itself. */
export const TOO_OLD_MS = 2001;
