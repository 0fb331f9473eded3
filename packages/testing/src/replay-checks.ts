import type { HistoryEvent } from '@flotilla/contracts';
import type { RunRecord } from '@flotilla/local-fleet';

/** A task graph whose replay is judged: what the file says, not what the engine says of it. */
export interface ReplayedGraph {
  /** Step id -> step ids of its parents. */
  needs: ReadonlyMap<string, readonly string[]>;
  /** Step id -> how long it takes, in ms. */
  durationMs: ReadonlyMap<string, number>;
}

export interface ReplayOptions {
  /** Attempts that all workers together can make at once. */
  slots: number;
  /** The engine's own time that is allowed beside Graham's bound, per task. Undefined: the makespan is not judged. */
  overheadMsPerTask?: number;
}

export interface ReplayReport {
  /** The five checks, as sentences that begin with their number; none when all hold. */
  violations: string[];
  makespanMs: number;
  /** Longest path and sum of the durations. */
  criticalPathMs: number;
  serialMs: number;
  /** Time beyond what a scheduler that costs nothing needs at most, per task. */
  overheadMsPerTask: number;
  mostAtOnce: number;
}

/**
 * The five checks of a replay with W slots, from the history alone:
 *
 * 1. every task finishes exactly once, whatever number of attempts it took
 * 2. no task starts before all its parents have finished
 * 3. the run ends when its last task has, and not before; nothing is left running or waiting
 * 4. max(critical path, serial / W) <= makespan <= serial / W + (1 - 1 / W) x critical path + overhead
 * 5. never more than W tasks run at once
 */
export function checkReplay(record: RunRecord, graph: ReplayedGraph, options: ReplayOptions): ReplayReport {
  const { slots, overheadMsPerTask } = options;
  const spans = spansOf(record.events);
  const criticalPathMs = criticalPath(graph);
  const serialMs = sum(graph.durationMs.values());
  const startedAt = Math.min(...Array.from(spans.values(), ({ firstStart }) => firstStart));
  const lastEnd = Math.max(...Array.from(spans.values(), ({ end }) => end));
  const makespanMs = lastEnd - startedAt;
  const ideal = serialMs / slots + (1 - 1 / slots) * criticalPathMs;
  const overhead = Math.max(0, makespanMs - ideal) / graph.needs.size;
  const mostAtOnce = mostOpen(record.events);
  const violations = [
    ...checkOnce(record, graph),
    ...checkParents(spans, graph),
    ...checkRunEnd(record, spans, lastEnd),
    ...(mostAtOnce > slots ? [`5 ${mostAtOnce} tasks ran at once on ${slots} slots`] : []),
  ];
  if (overheadMsPerTask !== undefined) {
    const least = Math.max(criticalPathMs, serialMs / slots);
    if (makespanMs < least) violations.push(`4 the makespan of ${makespanMs} ms is below the possible ${least} ms`);
    if (overhead > overheadMsPerTask) {
      violations.push(
        `4 the engine took ${overhead.toFixed(1)} ms a task beyond the bound, more than ${overheadMsPerTask}`,
      );
    }
  }
  return { violations, makespanMs, criticalPathMs, serialMs, overheadMsPerTask: overhead, mostAtOnce };
}

interface Span {
  firstStart: number;
  firstStartSeq: number;
  end: number;
  endSeq: number;
}

/** From the first start of each step to its commit. */
function spansOf(events: readonly HistoryEvent[]): Map<string, Span> {
  const spans = new Map<string, Span>();
  for (const { type, stepId, at, seq } of events) {
    if (stepId === undefined) continue;
    if (type === 'attempt-started' && !spans.has(stepId)) {
      spans.set(stepId, {
        firstStart: at,
        firstStartSeq: seq,
        end: Number.POSITIVE_INFINITY,
        endSeq: Number.POSITIVE_INFINITY,
      });
    }
    const span = spans.get(stepId);
    if (type === 'step-succeeded' && span !== undefined) {
      span.end = at;
      span.endSeq = seq;
    }
  }
  return spans;
}

function checkOnce({ steps, events }: RunRecord, { needs }: ReplayedGraph): string[] {
  const found: string[] = [];
  const finished = new Map<string, number>();
  for (const { type, stepId } of events) {
    if (type === 'step-succeeded') finished.set(stepId ?? '', (finished.get(stepId ?? '') ?? 0) + 1);
  }
  for (const id of needs.keys()) {
    const count = finished.get(id) ?? 0;
    if (count !== 1) found.push(`1 ${id} finished ${count} times`);
  }
  for (const id of finished.keys()) if (!needs.has(id)) found.push(`1 ${id} finished and is not in the graph`);
  if (steps.length !== needs.size) found.push(`1 the run has ${steps.length} steps, the graph ${needs.size} tasks`);
  return found;
}

function checkParents(spans: ReadonlyMap<string, Span>, { needs }: ReplayedGraph): string[] {
  const found: string[] = [];
  for (const [id, parents] of needs) {
    const span = spans.get(id);
    if (span === undefined) continue;
    for (const parent of parents) {
      const before = spans.get(parent);
      if (before === undefined || before.endSeq > span.firstStartSeq || before.end > span.firstStart) {
        found.push(`2 ${id} started before its parent ${parent} had finished`);
      }
    }
  }
  return found;
}

function checkRunEnd({ run, steps, events }: RunRecord, spans: ReadonlyMap<string, Span>, lastEnd: number): string[] {
  const found: string[] = [];
  const end = events.find(({ type }) => type === 'run-succeeded');
  if (end === undefined || run.status !== 'succeeded') return [`3 the run is ${run.status}`];
  if (end.seq !== events.length - 1) found.push(`3 ${events.length - 1 - end.seq} events follow the end of the run`);
  const lastSeq = Math.max(...Array.from(spans.values(), ({ endSeq }) => endSeq));
  if (end.seq < lastSeq || end.at < lastEnd) found.push('3 the run ended before its last task');
  if (run.endedAt !== end.at) found.push(`3 the run says that it ended at ${run.endedAt}, its history at ${end.at}`);
  const left = steps.filter(({ status }) => status !== 'succeeded');
  for (const { stepId, status } of left.slice(0, 5)) found.push(`3 the run has ended and ${stepId} is ${status}`);
  if (run.counts !== undefined && run.counts.running !== 0) found.push(`3 ${run.counts.running} steps still run`);
  return found;
}

const STEP_ENDS: ReadonlySet<string> = new Set([
  'attempt-succeeded',
  'attempt-failed',
  'attempt-timed-out',
  'attempt-lost',
  'attempt-cancelled',
]);

/** In the order of the history, which is total: equal times do not matter. */
function mostOpen(events: readonly HistoryEvent[]): number {
  let open = 0;
  let most = 0;
  for (const { type } of events) {
    if (type === 'attempt-started') most = Math.max(most, ++open);
    else if (STEP_ENDS.has(type)) open -= 1;
  }
  return most;
}

/** Iterative, because graphs may be deep. Kahn's order; a cycle would leave tasks out, and the compiler refuses those. */
function criticalPath({ needs, durationMs }: ReplayedGraph): number {
  const children = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  for (const [id, parents] of needs) {
    waiting.set(id, parents.length);
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  const ready = [...needs.keys()].filter((id) => waiting.get(id) === 0);
  const startsAt = new Map<string, number>();
  let longest = 0;
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const end = (startsAt.get(id) ?? 0) + (durationMs.get(id) ?? 0);
    longest = Math.max(longest, end);
    for (const child of children.get(id) ?? []) {
      startsAt.set(child, Math.max(startsAt.get(child) ?? 0, end));
      const left = waiting.get(child)! - 1;
      waiting.set(child, left);
      if (left === 0) ready.push(child);
    }
  }
  return longest;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
