import type { Json } from '@flotilla/contracts';
import { reportsOf } from '../by-run.ts';
import { hashOf } from '../output-hash.ts';
import type { EffectReport, Recording } from '../recording.ts';
import type { RunFacts } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';
import { excusedBy, unwrittenClaimAgeMs } from './excuses.ts';

export const v12 = perRun(
  'V12',
  'A committed step had its effect, its result is that of one of its attempts, every effect comes from an attempt that started, and whoever deduplicates by the idempotency key applied it once.',
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
  run: RunFacts,
  stepId: string,
  effects: readonly EffectReport[],
  recording: Recording,
): Found[] {
  const { steps, ruleOf } = run;
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
  const keys = keysOf(run, stepId);
  for (const effect of effects) {
    if (!keys.has(effect.key)) {
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
  for (const evidence of Map.groupBy(effects, ({ key }) => key).values()) {
    const times = evidence.filter(({ applied }) => applied).length;
    if (times !== 1)
      found.push({ message: `the effect of ${stepId} under ${evidence[0]!.key} was applied ${times} times`, evidence });
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

/** The idempotency keys that a step may have used: another one after each time that it was undone. */
function keysOf({ runId, events }: RunFacts, stepId: string): ReadonlySet<string> {
  const keys = new Set([`${runId}/${stepId}`]);
  let isUndone = false;
  for (const { type, stepId: of, data } of events) {
    if (type === 'cleanup-succeeded' && of === stepId) isUndone = true;
    if (type !== 'run-retried' || !isUndone) continue;
    keys.add(`${runId}/${stepId}/opening/${data?.['opening'] as number}`);
    isUndone = false;
  }
  return keys;
}
