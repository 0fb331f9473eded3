import type { StepLife } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';

export const v03 = perRun(
  'V3',
  'A step is committed at most once, unless a retry of the run makes it anew; in a succeeded run every step that was not skipped is committed.',
  ({ record, steps, ruleOf }, { atRest }) => {
    const found: Found[] = [];
    for (const { stepId, view, events, lives } of steps.values()) {
      for (const life of lives) found.push(...findRepeated(stepId, life));
      const commits = events.filter(({ type }) => type === 'step-succeeded');
      const successes = events.filter(({ type }) => type === 'attempt-succeeded');
      if (view === undefined || !atRest) continue;
      const { status } = view;
      if (status === 'succeeded' && commits.length === 0 && successes.length === 0) {
        found.push({ message: `${stepId} succeeded and was never committed`, evidence: [view] });
      }
      // An item may fail where its map tolerates that: that the map succeeded says that it does.
      const mayFail = stepId.endsWith(']') || ruleOf(stepId)?.tolerated === true;
      const tolerated = (status === 'failed' || status === 'quarantined') && mayFail;
      if (record.run.status === 'succeeded' && status !== 'succeeded' && status !== 'skipped' && !tolerated) {
        found.push({ message: `the run succeeded and ${stepId} is ${status}`, evidence: [view] });
      }
    }
    return found;
  },
);

function findRepeated(stepId: string, { events }: StepLife): Found[] {
  const found: Found[] = [];
  const commits = events.filter(({ type }) => type === 'step-succeeded');
  const successes = events.filter(({ type }) => type === 'attempt-succeeded');
  if (commits.length > 1) found.push({ message: `${stepId} was committed ${commits.length} times`, evidence: commits });
  if (successes.length > 1) {
    found.push({ message: `${successes.length} attempts of ${stepId} succeeded`, evidence: successes });
  }
  if (successes.length > 0 && commits.length === 0) {
    found.push({ message: `an attempt of ${stepId} succeeded and the step was not committed`, evidence: successes });
  }
  return found;
}
