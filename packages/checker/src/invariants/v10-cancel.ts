import type { CancelReceipt, EventType, HistoryEvent } from '@flotilla/contracts';
import { callsOf } from '../by-run.ts';
import type { CancelCall, ClientCall } from '../recording.ts';
import type { RunFacts } from '../run-facts.ts';
import { type CheckContext, type Found, perRun } from '../violation.ts';
import { excusedBy, excusedMs, unwrittenAgeMs } from './excuses.ts';
import { findWrongCleanups, registrationsOf } from './v10-cleanups.ts';

type Acknowledged = CancelCall & { answer: CancelReceipt };

export const v10 = perRun(
  'V10',
  'After a cancellation was accepted no attempt starts, the run ends cancelled and nothing else, and callers were told what became of it. A run that does not succeed makes each of its compensations and registered cleanups once, the last first, one at a time, when nothing else of it is live.',
  (run, context) => {
    // A cancellation holds until the run is retried.
    const events = run.openings.at(-1) ?? [];
    const accepted = events.find(({ type }) => type === 'cancel-requested');
    const { status } = run.record.run;
    const found: Found[] = [];
    if (accepted !== undefined) {
      for (const event of events) {
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
    found.push(...findWrongCleanups(run, context.atRest));
    return [...found, ...findWrongReceipts(run, context, accepted)];
  },
);

/** Until the run ends, or until nothing but its cleanups is left of it. */
function findSlowEnd({ terminal, events }: RunFacts, { bounds, recording }: CheckContext, acceptedAt: number): Found[] {
  const isCleanup = ({ type, at }: HistoryEvent) => type === 'cleanup-started' && at >= acceptedAt;
  const end = events.find(isCleanup) ?? terminal.find(({ at }) => at >= acceptedAt);
  if (end === undefined || bounds.cancelMs === undefined) return [];
  const tookMs = end.at - acceptedAt;
  // Cancelling is no excuse for cancelling slowly.
  const faults = recording.faults.filter(({ kind }) => !kind.startsWith('cancel-storm'));
  if (tookMs <= bounds.cancelMs + excusedMs({ ...recording, faults }, bounds, acceptedAt, end.at)) return [];
  return [{ message: `the cancelled run took ${tookMs} ms to end`, evidence: [end] }];
}

function findWrongReceipts(
  run: RunFacts,
  { recording, atRest }: CheckContext,
  accepted: HistoryEvent | undefined,
): Found[] {
  const { runId, record } = run;
  const isAnswered = (call: ClientCall): call is Acknowledged => call.kind === 'cancel' && call.answer !== undefined;
  // What was told of an earlier end is no longer so.
  if (!atRest || run.openings.length > 1) return [];
  const found: Found[] = [];
  for (const call of callsOf(recording, runId).filter(isAnswered)) {
    const { status, receipt } = call.answer;
    const isOver = receipt.endedAt !== undefined;
    const wrong: Found[] = [];
    if (isOver && status !== record.run.status) {
      wrong.push({
        message: `the caller was told that the run is ${status}; it is ${record.run.status}`,
        evidence: [call],
      });
    }
    if (receipt.alreadyEnded && accepted !== undefined) {
      wrong.push({
        message: 'the caller was told that it came too late; the run was cancelled',
        evidence: [call, accepted],
      });
    }
    if (!receipt.alreadyEnded && accepted === undefined) {
      wrong.push({ message: 'a cancellation was acknowledged and is not in the history', evidence: [call] });
    }
    if (isOver) wrong.push(...findWrongLists(run, call, accepted));
    // Redis may have gone back to before what it told.
    const excuse = excusedBy(unwrittenAgeMs(recording, call));
    found.push(...wrong.map((one) => ({ ...one, ...excuse })));
  }
  return found;
}

/** The lists of a receipt whose run has ended, beside what the history says. */
function findWrongLists(run: RunFacts, call: Acknowledged, accepted: HistoryEvent | undefined): Found[] {
  const { receipt } = call.answer;
  const { list, isKnown } = registrationsOf(run);
  const stepsOf = (...types: EventType[]) => {
    const isOne = ({ type, seq }: HistoryEvent) =>
      types.includes(type) && seq > (accepted?.seq ?? Number.POSITIVE_INFINITY);
    return [...new Set(run.events.flatMap((event) => (isOne(event) ? [event.stepId] : [])))];
  };
  const abandoned = new Set(
    run.events.flatMap(({ type, stepId, seq, data }) =>
      type === 'attempt-cancelled' &&
      data?.['reason'] === 'abandoned' &&
      seq > (accepted?.seq ?? Number.POSITIVE_INFINITY)
        ? [stepId]
        : [],
    ),
  );
  const hadAttempt = new Set<string | undefined>(
    stepsOf('attempt-cancelled', 'attempt-succeeded', 'attempt-failed', 'attempt-timed-out', 'attempt-lost'),
  );
  const made = (type: EventType, kind: string) =>
    run.events.flatMap((event) => (event.type === type && list[event.cleanup!]?.kind === kind ? [event.stepId] : []));
  const ids = (cleanups: readonly { stepId: string }[]) => cleanups.map(({ stepId }) => stepId);
  const facts: [what: string, told: readonly unknown[], is: readonly unknown[]][] = [
    ['stopped', receipt.stoppedSteps, stepsOf('attempt-cancelled')],
    ['abandoned', receipt.abandonedSteps ?? [], [...abandoned]],
    ['finished', receipt.finishedSteps, stepsOf('attempt-succeeded', 'attempt-failed', 'attempt-timed-out')],
    ['lost', receipt.lostSteps, stepsOf('attempt-lost')],
    ['released though an attempt of it has ended', receipt.released.filter((stepId) => hadAttempt.has(stepId)), []],
    ['pending', [...receipt.pending, ...receipt.pendingCleanups], []],
  ];
  if (isKnown) {
    facts.push(
      ['compensated', receipt.compensated, made('cleanup-succeeded', 'compensation')],
      ['cleaned up', ids(receipt.cleanedUp), made('cleanup-succeeded', 'registered')],
      [
        'not cleaned up',
        ids(receipt.failedCleanups),
        run.events.flatMap(({ type, stepId }) => (type === 'cleanup-failed' ? [stepId] : [])),
      ],
    );
  }
  return facts.flatMap(([what, told, is]) =>
    JSON.stringify(told) === JSON.stringify(is)
      ? []
      : [
          {
            message: `the receipt lists as ${what}: ${JSON.stringify(told)}, the history ${JSON.stringify(is)}`,
            evidence: [call],
          },
        ],
  );
}
