import type { CleanupStatus, CleanupView, StepError } from '@flotilla/contracts';
import { FIELD, STEP } from './format.ts';
import { parseStepKey, type StepKey, stepIdOf } from './plan-shape.ts';
import { invalidCursor } from './read-runs.ts';
import { cleanupField, headerAndOutput } from './run-fields.ts';
import { parseCleanupCounts } from './run-record.ts';
import { HEADER_STATUS, parseStepHeader } from './step-header.ts';
import { readBasics, type StepPageDependencies } from './step-pages.ts';

/** A cleanup as it was registered. */
export interface StoredCleanup {
  /** Of the step or item. */
  stepKey: StepKey;
  /** Absent: it is the step's compensation. */
  registered?: { use: string; inputJson: string };
}

/** `step key|handler|input`, of a compensation the step key alone. */
export function parseStoredCleanup(stored: string): StoredCleanup {
  const [stepKey = '', use] = stored.split('|', 2);
  if (use === undefined) return { stepKey };
  return { stepKey, registered: { use, inputJson: stored.slice(stepKey.length + use.length + 2) } };
}

/** Cleanups of a run in the order of registration. `cursor` is where the next page begins. */
export async function listCleanups(
  dependencies: StepPageDependencies,
  runId: string,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ cleanups: CleanupView[]; cursor?: string }> {
  const { client, plan } = dependencies;
  const run = await readBasics(dependencies, runId);
  const counts = await client.hget(run.key, FIELD.cleanups);
  const { registered } = parseCleanupCounts(counts ?? '');
  const first = page.cursor === undefined ? 0 : Number(page.cursor);
  if (!/^\d{0,7}$/.test(page.cursor ?? '')) throw invalidCursor();
  const numbers = Array.from({ length: Math.max(0, Math.min(page.limit, registered - first)) }, (_, n) => first + n);
  if (numbers.length === 0) return { cleanups: [] };
  const entries = await client.hmget(run.key, ...numbers.map((number) => cleanupField(number)));
  const stored = entries.map((entry) => parseStoredCleanup(entry ?? ''));
  const fields = stored.flatMap(({ stepKey }, index) => {
    const key = `${stepKey}!${numbers[index]}`;
    return headerAndOutput(key);
  });
  const values = await client.hmget(run.key, ...fields);
  const cleanups = stored.map(({ stepKey, registered: own }, index): CleanupView => {
    const use = own?.use ?? plan.steps[parseStepKey(stepKey).step]?.work?.compensation?.use ?? '';
    const view: CleanupView = {
      number: numbers[index]!,
      stepId: stepIdOf(plan, stepKey),
      kind: own === undefined ? 'compensation' : 'registered',
      use,
      status: 'registered',
      attempts: 0,
    };
    return complete(view, values[index * 2], values[index * 2 + 1], run.createdAt);
  });
  const next = first + numbers.length;
  return next < registered ? { cleanups, cursor: String(next) } : { cleanups };
}

function complete(
  view: CleanupView,
  stored: string | null | undefined,
  error: string | null | undefined,
  createdAt: number,
): CleanupView {
  if (stored == null) return view;
  const header = parseStepHeader(stored, createdAt);
  view.status = HEADER_STATUS[header.state] as CleanupStatus;
  view.attempts = header.failures + (header.state === STEP.running || header.state === STEP.succeeded ? 1 : 0);
  if (header.crashes > 0) view.lost = header.crashes;
  if (header.startedAt !== undefined) view.startedAt = header.startedAt;
  if (header.endedAt !== undefined && (header.state === STEP.succeeded || header.state === STEP.failed))
    view.endedAt = header.endedAt;
  if (header.worker !== '') view.worker = header.worker;
  if (header.state === STEP.parked && header.reason) view.reason = header.reason;
  if (header.state === STEP.backingOff && header.dueAt !== undefined) view.nextAttemptAt = header.dueAt;
  if (error != null && (header.state === STEP.failed || header.state === STEP.backingOff))
    view.error = JSON.parse(error) as StepError;
  return view;
}
