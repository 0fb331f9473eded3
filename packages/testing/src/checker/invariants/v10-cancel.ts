import type { CancelReceipt } from '@flotilla/contracts';
import { callsOf } from '../by-run.ts';
import type { CancelCall, ClientCall } from '../recording.ts';
import type { RunFacts } from '../run-facts.ts';
import { type CheckContext, type Found, perRun } from '../violation.ts';
import { excusedMs } from './excuses.ts';

type Acknowledged = CancelCall & { answer: CancelReceipt };

/** Cleanups are not checked yet: there are none. */
export const v10 = perRun(
  'V10',
  'After a cancellation was accepted no attempt starts, the run ends cancelled and nothing else, and callers were told what became of it.',
  (run, context) => {
    const accepted = run.events.find(({ type }) => type === 'cancel-requested');
    const { status } = run.record.run;
    const found: Found[] = [];
    if (accepted !== undefined) {
      for (const event of run.events) {
        if (event.type !== 'attempt-started' || event.seq < accepted.seq) continue;
        found.push({ message: `${event.stepId} starts after the run was cancelled`, evidence: [accepted, event] });
      }
      if (context.atRest && status !== 'cancelled') {
        found.push({ message: `the run was cancelled and is ${status}`, evidence: [accepted, ...run.terminal] });
      }
      found.push(...findSlowEnd(run, context, accepted.at));
    } else if (status === 'cancelled' && context.atRest) {
      found.push({ message: 'the run is cancelled and nobody asked for it', evidence: run.terminal });
    }
    return [...found, ...findWrongReceipts(run, context, accepted !== undefined)];
  },
);

function findSlowEnd({ terminal }: RunFacts, { bounds, recording }: CheckContext, acceptedAt: number): Found[] {
  const [end] = terminal;
  if (end === undefined || bounds.cancelMs === undefined) return [];
  const tookMs = end.at - acceptedAt;
  if (tookMs <= bounds.cancelMs + excusedMs(recording, bounds, acceptedAt, end.at)) return [];
  return [{ message: `the cancelled run took ${tookMs} ms to end`, evidence: [end] }];
}

function findWrongReceipts(
  { runId, record }: RunFacts,
  { recording, atRest }: CheckContext,
  isAccepted: boolean,
): Found[] {
  const isAnswered = (call: ClientCall): call is Acknowledged => call.kind === 'cancel' && call.answer !== undefined;
  if (!atRest) return [];
  const found: Found[] = [];
  for (const call of callsOf(recording, runId).filter(isAnswered)) {
    const { status, receipt } = call.answer;
    const isOver = receipt.alreadyEnded || receipt.endedAt !== undefined;
    if (isOver && status !== record.run.status) {
      found.push({
        message: `the caller was told that the run is ${status}; it is ${record.run.status}`,
        evidence: [call],
      });
    }
    if (!receipt.alreadyEnded && !isAccepted && status === 'cancelled') {
      found.push({ message: 'a cancellation was acknowledged and is not in the history', evidence: [call] });
    }
  }
  return found;
}
