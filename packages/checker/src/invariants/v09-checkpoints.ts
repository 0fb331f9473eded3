import { type HistoryEvent, newestProgressNumber } from '@flotilla/contracts';
import { reportsOf } from '../by-run.ts';
import type { ProgressReport, Recording } from '../recording.ts';
import { ATTEMPT_ENDS, type RunFacts, type StepFacts } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';
import { excusedBy, unwrittenAgeMs } from './excuses.ts';

export const v09 = perRun(
  'V9',
  'Checkpoints of a step are numbered without a gap over its attempts, each attempt finds the last one stored (or the one that took the place of a damaged one), all match their checksums, and no attempt succeeds on a damaged one.',
  (run, { recording, atRest }) => [
    ...(atRest ? findUnverified(run, recording) : []),
    ...[...run.steps.values()].flatMap((step) => [
      ...findUsesOfDamaged(step),
      ...findProgressGaps(step, progressOf(recording, run.runId, step.stepId), recording),
    ]),
  ],
);

/** Progress of a step in the order of its attempts, and within one as it came. */
function progressOf(recording: Recording, runId: string, stepId: string): ProgressReport[] {
  return reportsOf(recording, runId, stepId)
    .filter((report) => report.kind !== 'effect')
    .sort((one, other) => one.fence - other.fence);
}

function findUnverified({ runId, record, steps }: RunFacts, { faults }: Recording): Found[] {
  const damaged = new Set(faults.flatMap(({ targets }) => targets));
  const checkpoints = record.checkpoints ?? [];
  return checkpoints.flatMap((checkpoint) => {
    const { stepId, kind, seq, fence, verified } = checkpoint;
    const found: Found[] = [];
    if (kind === 'set-aside') return found;
    if (!verified && !damaged.has(`${runId}/${stepId}`)) {
      found.push({ message: `the ${kind} of ${stepId} does not match its checksum`, evidence: [checkpoint] });
    }
    const own = steps.get(stepId)?.events ?? [];
    const saves = own.filter(({ type }) => type === 'checkpoint-saved');
    // Of the attempt that committed: whoever saves has loaded what was there, others need not.
    const isNewest = !checkpoints.some((other) => other.stepId === stepId && other.kind === kind && other.seq > seq);
    const isLast = kind === 'progress' ? isNewest : saves.some((save) => save.fence === fence);
    const newest = newestProgressNumber(own);
    const expected = kind === 'progress' ? newest : newest + 1;
    if (seq > expected || (isLast && seq !== expected)) {
      const message = `the ${kind} of ${stepId} has number ${seq} after ${saves.length} checkpoints`;
      found.push({ message, evidence: [checkpoint, ...saves] });
    }
    return found;
  });
}

/** An attempt in which a damaged checkpoint was found must not succeed. */
function findUsesOfDamaged({ stepId, events }: StepFacts): Found[] {
  const found: Found[] = [];
  let corrupt: HistoryEvent | undefined;
  for (const event of events) {
    // What took its place is good.
    if (event.type === 'checkpoint-corrupt' && event.data?.['usedInstead'] === undefined) corrupt = event;
    if (event.type === 'attempt-succeeded' && corrupt !== undefined) {
      found.push({ message: `an attempt of ${stepId} succeeded on a damaged checkpoint`, evidence: [corrupt, event] });
    }
    if (event.type === 'attempt-started' || ATTEMPT_ENDS.has(event.type)) corrupt = undefined;
  }
  return found;
}

function findProgressGaps(
  { stepId, events }: StepFacts,
  reports: readonly ProgressReport[],
  recording: Recording,
): Found[] {
  const found: Found[] = [];
  const say = (message: string, ...evidence: object[]) => found.push({ message: `${stepId} ${message}`, evidence });
  const unwritten = unwrittenSaves(reports, recording);
  /** What was stored before that which Redis may not have written. */
  let earlier: (ProgressReport | undefined)[] = [];
  /** The last that is known to be stored, and what may be: its worker died before it could tell. */
  let stored: ProgressReport | undefined;
  let possible: ProgressReport[] = [];
  const fellBack = events.some(
    ({ type, data }) => type === 'checkpoint-corrupt' && data?.['usedInstead'] !== undefined,
  );
  let current: { fence: number; number: number | undefined } | undefined;
  for (const report of reports) {
    const { kind, number, fence, stateHash } = report;
    if (current?.fence !== fence) current = { fence, number: undefined };
    if (kind === 'loaded') {
      const known = fellBack ? reports.filter((save) => save.kind === 'saved') : [...possible, stored];
      const isKnown = known.some((save) => save !== undefined && isSameState(save, report));
      const isNothing = number === 0 && (stored === undefined || fellBack);
      if (!isKnown && !isNothing) {
        const wentBackTo = earlier.findIndex((save) => (save === undefined ? number === 0 : isSameState(save, report)));
        const gone = wentBackTo < 0 ? undefined : [...earlier, stored][wentBackTo + 1];
        found.push({
          message: `${stepId} found checkpoint ${number}, which is not the last one stored`,
          evidence: [...possible, ...(stored === undefined ? [] : [stored]), report],
          ...excusedBy(gone === undefined ? undefined : unwritten.get(gone)),
        });
        if (gone !== undefined) stored = earlier[wentBackTo];
      }
      earlier = [];
      current.number = number;
    } else if (kind === 'saving') {
      const before = current.number ?? stored?.number ?? 0;
      if (number !== before + 1) say(`saves checkpoint ${number} after ${before}`, report);
      current.number = number;
      possible.push(report);
    } else {
      if (!possible.some((save) => save.fence === fence && save.number === number && save.stateHash === stateHash)) {
        say(`has stored checkpoint ${number}, which it did not save`, report);
      }
      earlier = unwritten.has(report) ? [...earlier, stored] : [];
      stored = report;
      possible = [];
    }
  }
  for (const [fence, own] of Map.groupBy(reports, (report) => report.fence)) {
    const told = own.filter(({ kind }) => kind === 'saved');
    const recorded = events.filter((event) => event.type === 'checkpoint-saved' && event.fence === fence);
    if (recorded.length >= told.length) continue;
    const kept = told.filter((save) => !unwritten.has(save));
    const ages = told.flatMap((save) => unwritten.get(save) ?? []);
    found.push({
      message: `${stepId} was told of ${told.length} stored checkpoints, its history of ${recorded.length}`,
      evidence: [...told, ...recorded],
      ...excusedBy(recorded.length < kept.length ? undefined : Math.max(...ages)),
    });
  }
  return found;
}

/** Saves that a Redis that was killed may have acknowledged and not written, with their ages. */
function unwrittenSaves(reports: readonly ProgressReport[], recording: Recording): Map<ProgressReport, number> {
  const found = new Map<ProgressReport, number>();
  for (const [index, save] of reports.entries()) {
    if (save.kind !== 'saved') continue;
    const asked = reports
      .slice(0, index)
      .findLast(({ kind, fence, number }) => kind === 'saving' && fence === save.fence && number === save.number);
    const ageMs = unwrittenAgeMs(recording, { startAt: asked?.at ?? save.at, endAt: save.at });
    if (ageMs !== undefined) found.set(save, ageMs);
  }
  return found;
}

function isSameState(one: ProgressReport, other: ProgressReport): boolean {
  return one.number === other.number && one.stateHash === other.stateHash;
}
