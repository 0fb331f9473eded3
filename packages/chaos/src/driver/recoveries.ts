import type { RecordedRun } from '@flotilla/checker';

/** What is needed of a fault to see how long the fleet took to go on. */
export interface TimedFault {
  startAt: number;
  endAt: number;
  targets: readonly string[];
}

type Events = RecordedRun['events'];

/**
 * How long what a fault hit took to go on, in ms, a number each:
 *
 * - for each attempt that its workers lost: from the beginning of the fault to the next attempt of the step
 * - otherwise, when it hit no worker, for each run under way: from the end of the fault to the next event of the run
 */
export function recoveriesOf(fault: TimedFault, runs: readonly RecordedRun[], isOfWorkers: boolean): number[] {
  return runs.flatMap(({ events }) => (isOfWorkers ? lostAttempts(fault, events) : nextEvent(fault, events)));
}

function lostAttempts({ startAt, targets }: TimedFault, events: Events): number[] {
  const found: number[] = [];
  const held = new Map<string, 'held' | 'lost'>();
  for (const { type, stepId, worker = '', at } of events) {
    if (stepId === undefined) continue;
    if (type === 'attempt-started') {
      if (held.get(stepId) === 'lost') found.push(at - startAt);
      held.delete(stepId);
      if (at <= startAt && targets.includes(worker)) held.set(stepId, 'held');
    } else if (type.startsWith('attempt-') && type !== 'attempt-rejected' && held.has(stepId)) {
      // What ended before the fault, or by itself in spite of it, has nothing to recover from.
      if (type === 'attempt-lost' && at >= startAt) held.set(stepId, 'lost');
      else held.delete(stepId);
    }
  }
  return found;
}

function nextEvent({ endAt }: TimedFault, events: Events): number[] {
  const index = events.findIndex(({ at }) => at > endAt);
  if (index <= 0) return []; // it began afterwards, or had ended
  return [events[index]!.at - endAt];
}

/** The longest time in which nothing happened in a run that was under way, and which run it was. */
export function longestStall(runs: readonly RecordedRun[]): { ms: number; runId: string; afterSeq: number } {
  let longest = { ms: 0, runId: '', afterSeq: 0 };
  for (const { run, events } of runs) {
    for (const [index, event] of events.entries()) {
      // A refused result may come long after the end.
      if (event.type === 'attempt-rejected') continue;
      const before = events[index - 1];
      const ms = before === undefined ? 0 : event.at - before.at;
      if (ms > longest.ms) longest = { ms, runId: run.runId, afterSeq: before!.seq };
    }
  }
  return longest;
}

export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
