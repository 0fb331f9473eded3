import type { DeadLetterReason, DeadLetterView, StepError } from '@flotilla/contracts';
import { FIELD, RUN, STEP } from './format.ts';
import { type PlanShape, stepIdOf } from './plan-shape.ts';
import { parseRunMeta } from './run-record.ts';
import { parseStepHeader, type StepHeader } from './step-header.ts';

/** What all dead letters of a run have in common. */
export interface DeadRun {
  runId: string;
  workflow: string;
  version: string | undefined;
  definitionHash: string;
  createdAt: number;
  endedAt: number;
  opening: number;
}

export const DEAD_RUN_FIELDS = [
  FIELD.meta,
  FIELD.definition,
  FIELD.workflow,
  FIELD.version,
  FIELD.endedAt,
  FIELD.opening,
] as const;

/** From the values of `DEAD_RUN_FIELDS`; undefined of a run that has not ended failed or timed out. */
export function parseDeadRun(runId: string, values: readonly (string | null)[]): DeadRun | undefined {
  const [packed, definitionHash, workflow, version, ended, reopened] = values;
  if (packed == null) return undefined;
  const { letter, createdAt } = parseRunMeta(packed);
  if (letter !== RUN.failed && letter !== RUN.timedOut) return undefined;
  return {
    runId,
    workflow: workflow ?? '',
    version: version ?? undefined,
    definitionHash: definitionHash ?? '',
    createdAt,
    endedAt: createdAt + Number(ended ?? 0),
    opening: openingOf(reopened),
  };
}

/** Of the field `a`, which a run that was never opened again does not have. */
export function openingOf(reopened: string | null | undefined): number {
  return reopened == null ? 1 : Number.parseInt(reopened, 10);
}

export function hasFailedForGood(header: string | null | undefined): boolean {
  return header?.[0] === STEP.failed || header?.[0] === STEP.quarantined;
}

/** Undefined when the step has not failed. Without a plan (its definition is damaged) the step has its number for a name. */
export function deadLetterView(
  run: DeadRun,
  plan: PlanShape | undefined,
  key: string,
  stored: { header: string | null | undefined; body: string | null | undefined },
): DeadLetterView | undefined {
  if (!hasFailedForGood(stored.header)) return undefined;
  const { runId, workflow, version, endedAt, opening } = run;
  const header = parseStepHeader(stored.header!, run.createdAt);
  const error = parseError(stored.body);
  const stepId = plan === undefined ? `#${key}` : stepIdOf(plan, key);
  const use = plan?.steps[Number(key)]?.work?.use;
  return {
    id: `${runId}/${stepId}`,
    runId,
    workflow,
    ...(version !== undefined && { version }),
    stepId,
    reason: reasonOf(header, error),
    ...(use !== undefined && { use }),
    attempts: header.failures,
    ...(header.crashes > 0 && { crashes: header.crashes }),
    error,
    failedAt: header.endedAt ?? endedAt,
    deadSince: endedAt,
    opening,
  };
}

/** A map fails as such; what its last item failed with says whether that was quarantined. */
function reasonOf({ state, map }: StepHeader, { code }: StepError): DeadLetterReason {
  return state === STEP.quarantined || (map !== undefined && code === 'CRASH_LIMIT') ? 'quarantined' : 'failed';
}

/** What a step failed with. A damaged one is told as such: one run that somebody wrote into does not hide all others. */
export function parseError(body: string | null | undefined): StepError {
  if (body == null) return { type: 'non_retryable', code: 'INTERNAL', message: 'the error is not stored' };
  const { type, code, message, stack } = parseObject(body) ?? {};
  if (isText(type) && isText(code) && isText(message)) return { type, code, message, ...(isText(stack) && { stack }) };
  return { type: 'non_retryable', code: 'DATA_CORRUPTION', message: 'the stored error is damaged' };
}

const isText = (value: unknown): value is string => typeof value === 'string';

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
