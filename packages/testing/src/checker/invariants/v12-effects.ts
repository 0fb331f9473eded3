import type { Json } from '@flotilla/contracts';
import { reportsOf } from '../by-run.ts';
import { hashOf } from '../output-hash.ts';
import type { EffectReport, Recording } from '../recording.ts';
import type { RunFacts } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';
import { excusedBy, unwrittenClaimAgeMs } from './excuses.ts';

export const v12 = perRun(
  'V12',
  'A committed step had its effect, its result is that of one of its attempts, every effect comes from an attempt that started, and whoever deduplicates by `run/step` applied it once.',
  (run, { recording }) =>
    [...run.steps.keys()].flatMap((stepId) => {
      const reports = reportsOf(recording, run.runId, stepId);
      return findWrongEffects(
        run,
        stepId,
        reports.filter((report) => report.kind === 'effect'),
        recording,
      );
    }),
);

/** Handlers that report their effects: what they commit without one is wrong. */
const REPORTING_HANDLERS: ReadonlySet<string> = new Set(['record-effect']);

function findWrongEffects(
  { runId, steps, ruleOf }: RunFacts,
  stepId: string,
  effects: readonly EffectReport[],
  recording: Recording,
): Found[] {
  const { view, events = [], starts = [] } = steps.get(stepId) ?? {};
  const found: Found[] = [];
  const commit = events.find(({ type }) => type === 'step-succeeded');
  if (effects.length === 0) {
    const use = ruleOf(stepId)?.use;
    if (commit !== undefined && use !== undefined && REPORTING_HANDLERS.has(use)) {
      found.push({ message: `${stepId} was committed and had no effect`, evidence: [commit] });
    }
    return found;
  }
  for (const effect of effects) {
    if (effect.key !== `${runId}/${stepId}`) {
      found.push({ message: `an effect of ${stepId} has the key ${effect.key}`, evidence: [effect] });
    }
    if (!starts.some(({ fence }) => fence === effect.fence)) {
      // Redis may have given the claim and not have written it: what was made then has been made.
      const excuse = excusedBy(unwrittenClaimAgeMs(recording, effect.fence));
      found.push({
        message: `an effect of ${stepId} comes from no attempt that started`,
        evidence: [effect],
        ...excuse,
      });
    }
  }
  const applied = effects.filter((effect) => effect.applied);
  if (applied.length !== 1) {
    found.push({ message: `the effect of ${stepId} was applied ${applied.length} times`, evidence: effects });
  }
  if (commit !== undefined && view?.output !== undefined) {
    const hash = hashOf(view.output as Json);
    if (!effects.some(({ outputHash }) => outputHash === hash)) {
      found.push({
        message: `the result of ${stepId} is none that an attempt of it reported`,
        evidence: [commit, ...effects],
      });
    }
  }
  return found;
}
