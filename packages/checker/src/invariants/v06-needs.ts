import type { HistoryEvent } from '@flotilla/contracts';
import { SETTLED } from '../run-facts.ts';
import { type Found, perRun } from '../violation.ts';

export const v06 = perRun(
  'V6',
  'No step starts before its needs have settled: all well with `all`, one well with `any`, in whatever way with `settled`.',
  ({ events, needsOf, ruleOf, resets }) => {
    const found: Found[] = [];
    const settled = new Map<string, HistoryEvent>();
    for (const event of events) {
      const { type, stepId, seq } = event;
      if (type === 'run-retried') {
        for (const step of resets.find((reset) => reset.event === event)?.steps ?? []) settled.delete(step);
      }
      if (stepId === undefined) continue;
      if (SETTLED.has(type) && !settled.has(stepId)) settled.set(stepId, event);
      if (type !== 'attempt-started') continue;
      const needs = needsOf(stepId);
      const join = ruleOf(stepId)?.join;
      if (join === 'any' && needs.some((need) => settled.get(need)?.type === 'step-succeeded')) continue;
      for (const need of needs) {
        const end = settled.get(need);
        if (end === undefined) {
          found.push({ message: `${stepId} starts at ${seq} before its need ${need} has settled`, evidence: [event] });
        } else if (join === 'all' && end.type !== 'step-succeeded' && end.type !== 'step-skipped') {
          found.push({
            message: `${stepId} starts at ${seq} although its need ${need} did not succeed`,
            evidence: [end, event],
          });
        }
      }
    }
    return found;
  },
);
