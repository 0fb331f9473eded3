import type { HistoryEvent } from '@flotilla/contracts';
import { callsOf } from '../by-run.ts';
import { lastBefore, mapOf, type RunFacts, SETTLED } from '../run-facts.ts';
import { type CheckContext, type Found, perRun } from '../violation.ts';
import { excusedBy, excusedMs, unwrittenAgeMs } from './excuses.ts';

const DEFAULT_TOLERANCE_MS = 250;
const DEFAULT_LATE_MS = 10_000;

export const v15 = perRun(
  'V15',
  "Times are those of Redis' clock, whatever clocks processes have: they never go back, a run begins within its submission, and no delay or time limit ends early or much too late.",
  (run, context) => [
    ...findBackwards(run),
    ...findWrongCreation(run, context),
    ...[...run.steps.keys()].flatMap((stepId) => [
      ...findWrongDelay(run, stepId, context),
      ...findEarlyTimeouts(run, stepId, context),
    ]),
  ],
);

const toleranceMs = ({ bounds }: CheckContext): number => bounds.clockToleranceMs ?? DEFAULT_TOLERANCE_MS;

function findBackwards({ events }: RunFacts): Found[] {
  return events.flatMap((event, index) => {
    const before = events[index - 1];
    if (before === undefined || event.at >= before.at) return [];
    return [{ message: `time goes back at event ${event.seq}`, evidence: [before, event] }];
  });
}

/** Between the first call that asked for the run and the first that was told of it. */
function findWrongCreation({ runId, events }: RunFacts, context: CheckContext): Found[] {
  const calls = callsOf(context.recording, runId).filter((call) => call.kind === 'start');
  const answered = calls.filter(({ answer }) => answer !== undefined);
  const [created] = events;
  if (created?.type !== 'run-created' || answered.length === 0) return [];
  const earliest = Math.min(...calls.map(({ startAt }) => startAt)) - toleranceMs(context);
  const latest = Math.min(...answered.map(({ endAt }) => endAt)) + toleranceMs(context);
  // A try that got no answer, and whose run id nobody knows, may have been the first.
  const isEarly = created.at < earliest && calls.every(({ request }) => request.idempotencyKey === undefined);
  if (!isEarly && created.at <= latest) return [];
  // Acknowledged, lost with Redis and asked for again, it is created twice.
  const before = answered.filter(({ endAt }) => endAt + toleranceMs(context) < created.at);
  const ages = before.map((call) => unwrittenAgeMs(context.recording, call));
  const isRepeated = !isEarly && before.length < calls.length && ages.every((ageMs) => ageMs !== undefined);
  return [
    {
      message: `the run was created at ${created.at}, not while it was submitted`,
      evidence: [created, ...calls],
      ...excusedBy(isRepeated ? Math.max(...ages) : undefined),
    },
  ];
}

function findWrongDelay(run: RunFacts, stepId: string, context: CheckContext): Found[] {
  const forMs = run.ruleOf(stepId)?.forMs;
  const settled = run.steps
    .get(stepId)
    ?.lives.at(-1)
    ?.events.find(({ type }) => type === 'step-succeeded');
  if (forMs === undefined || settled === undefined) return [];
  const retried = lastBefore(run.events, settled, ({ type }) => type === 'run-retried');
  const needed = readyEvent(run, stepId, settled);
  const ready = retried !== undefined && (needed?.seq ?? 0) < retried.seq ? retried : needed;
  if (ready === undefined) return [];
  const tookMs = settled.at - ready.at;
  const tolerated = toleranceMs(context);
  const isHeld = run.events.some(({ type }) => type === 'run-paused' || type === 'step-parked');
  const { bounds, recording } = context;
  const lateMs =
    (bounds.timerLateMs ?? DEFAULT_LATE_MS) + tolerated + excusedMs(recording, bounds, ready.at, settled.at);
  if (tookMs >= forMs - tolerated && (tookMs <= forMs + lateMs || isHeld)) return [];
  return [{ message: `the delay ${stepId} of ${forMs} ms took ${tookMs} ms`, evidence: [ready, settled] }];
}

/** When the last of the needs settled; with `any` when the first succeeded. */
function readyEvent(run: RunFacts, stepId: string, before: HistoryEvent): HistoryEvent | undefined {
  const needs = new Set(run.needsOf(stepId));
  if (needs.size === 0) return run.events[0];
  const isEnd = ({ type, stepId: need = '' }: HistoryEvent) => SETTLED.has(type) && needs.has(need);
  if (run.ruleOf(mapOf(stepId))?.join === 'any')
    return run.events.find((event) => isEnd(event) && event.type === 'step-succeeded');
  return lastBefore(run.events, before, isEnd);
}

function findEarlyTimeouts(run: RunFacts, stepId: string, context: CheckContext): Found[] {
  const { attemptMs, heartbeatMs = Number.POSITIVE_INFINITY, totalMs } = run.ruleOf(stepId) ?? {};
  // What is left of `totalMs` depends on when the step became ready.
  if (attemptMs === undefined || totalMs !== undefined) return [];
  const leastMs = Math.min(attemptMs, heartbeatMs) - toleranceMs(context);
  const { ends = [], starts = [] } = run.steps.get(stepId) ?? {};
  return ends.flatMap((end) => {
    const start = lastBefore(starts, end, () => true);
    if (end.type !== 'attempt-timed-out' || start === undefined || end.at - start.at >= leastMs) return [];
    return [{ message: `an attempt of ${stepId} timed out after ${end.at - start.at} ms`, evidence: [start, end] }];
  });
}
