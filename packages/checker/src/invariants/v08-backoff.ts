import type { HistoryEvent } from '@flotilla/contracts';
import { CHARGED, lastBefore, type StepFacts, type StepLife } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';
import { excusedMs } from './excuses.ts';

const DEFAULT_LATE_MS = 10_000;

export const v08 = perRun(
  'V8',
  'After a failure the next attempt waits as long as was decided and hardly longer; a permanent error has no next attempt.',
  ({ steps, events }, { recording, bounds }) => {
    const found: Found[] = [];
    const lateMs = bounds.timerLateMs ?? DEFAULT_LATE_MS;
    for (const { stepId, events: own, starts, ends } of livesOf(steps.values())) {
      for (const start of starts) {
        const last = lastBefore(ends, start, ({ type }) => type !== 'attempt-lost' && type !== 'attempt-cancelled');
        if (last === undefined || !CHARGED.has(last.type)) continue;
        const say = (message: string, ...evidence: HistoryEvent[]) =>
          found.push({ message, evidence: [last, ...evidence, start] });
        if (last.data?.['type'] === 'non_retryable') say(`${stepId} is tried again after a permanent error`);
        const retry = lastBefore(own, start, ({ type, seq }) => type === 'retry-scheduled' && seq > last.seq);
        if (retry === undefined) {
          say(`${stepId} is tried again and no retry was decided`);
          continue;
        }
        const waitedMs = start.at - retry.at;
        const delayMs = Number(retry.data?.['delayMs'] ?? 0);
        if (waitedMs < delayMs) say(`${stepId} waited ${waitedMs} ms instead of ${delayMs}`, retry);
        // Taken and given back in between, parked, or held by a pause: then it is not the backoff that took so long.
        const isPlain =
          lastBefore(ends, start, () => true) === last &&
          lastBefore(own, start, ({ type, seq }) => type === 'step-parked' && seq > retry.seq) === undefined &&
          !events.some(({ type }) => type === 'run-paused');
        const mostMs = delayMs + lateMs + excusedMs(recording, bounds, retry.at, start.at);
        if (isPlain && waitedMs > mostMs) say(`${stepId} waited ${waitedMs} ms instead of ${delayMs}`, retry);
      }
    }
    return found;
  },
);

/** A step that a retry of the run makes anew begins without its former failures. */
function livesOf(steps: Iterable<StepFacts>): (StepLife & { stepId: string })[] {
  return Array.from(steps).flatMap(({ stepId, lives }) => lives.map((life) => ({ ...life, stepId })));
}
