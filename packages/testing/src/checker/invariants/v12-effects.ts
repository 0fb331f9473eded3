import type { Json } from '@flotilla/contracts';
import { hashOf } from '../output-hash.ts';
import type { EffectReport } from '../recording.ts';
import type { RunFacts } from '../run-facts.ts';
import { type CheckContext, type Found, perRun } from '../violation.ts';

export const v12 = perRun(
  'V12',
  'A committed step had its effect, its result is that of one of its attempts, every effect comes from an attempt that started, and whoever deduplicates by `run/step` applied it once.',
  (run, context) => {
    const effects = effectsOf(context, run.runId);
    return [...run.steps.keys()].flatMap((stepId) => findWrongEffects(run, stepId, effects.get(stepId) ?? []));
  },
);

/** Handlers that report their effects: what they commit without one is wrong. */
const REPORTING_HANDLERS: ReadonlySet<string> = new Set(['record-effect']);

const known = new WeakMap<object, Map<string, Map<string, EffectReport[]>>>();

/** Effects by run and step, gathered once a recording. */
function effectsOf({ recording: { effects } }: CheckContext, runId: string): ReadonlyMap<string, EffectReport[]> {
  let byRun = known.get(effects);
  if (byRun === undefined) {
    byRun = new Map();
    for (const report of effects) {
      if (report.kind !== 'effect') continue;
      const bySteps = byRun.get(report.runId) ?? new Map<string, EffectReport[]>();
      byRun.set(report.runId, bySteps);
      bySteps.set(report.stepId, [...(bySteps.get(report.stepId) ?? []), report]);
    }
    known.set(effects, byRun);
  }
  return byRun.get(runId) ?? new Map();
}

function findWrongEffects(
  { runId, steps, ruleOf }: RunFacts,
  stepId: string,
  effects: readonly EffectReport[],
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
      found.push({ message: `an effect of ${stepId} comes from no attempt that started`, evidence: [effect] });
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
