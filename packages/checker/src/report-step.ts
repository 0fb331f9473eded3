import type { Json } from '@flotilla/contracts';
import { hashOf } from './output-hash.ts';
import type { SentReport } from './record-effects.ts';

/** What is needed of a handler's context. */
interface ReportingContext {
  readonly runId: string;
  readonly stepId: string;
  readonly idempotencyKey: string;
  readonly fence: number;
  readonly checkpoint: { save(state: Json): Promise<void>; load(): Promise<Json | undefined> };
}

/** For handlers under test: tells the recorder that the step's effect has happened, before the step returns the output. */
export async function reportEffect(context: ReportingContext, output: Json): Promise<void> {
  await send({ kind: 'effect', ...addressOf(context), outputHash: hashOf(output) });
}

export interface ReportedProgress {
  number: number;
  state: Json;
}

/** Loads the step's progress and tells what was found. The states must be those of `saveProgress`. */
export async function loadProgress(context: ReportingContext): Promise<ReportedProgress> {
  const found = ((await context.checkpoint.load()) ?? { number: 0, state: null }) as unknown as ReportedProgress;
  await reportProgress(context, 'loaded', found);
  return found;
}

/** Saves progress under its number, and tells of it before and after. */
export async function saveProgress(context: ReportingContext, progress: ReportedProgress): Promise<void> {
  await reportProgress(context, 'saving', progress);
  await context.checkpoint.save({ ...progress });
  await reportProgress(context, 'saved', progress);
}

function reportProgress(
  context: ReportingContext,
  kind: 'saving' | 'saved' | 'loaded',
  { number, state }: ReportedProgress,
): Promise<void> {
  return send({ kind, ...addressOf(context), number, stateHash: hashOf(state) });
}

function addressOf({ runId, stepId, idempotencyKey, fence }: ReportingContext) {
  return { key: idempotencyKey, runId, stepId, fence };
}

const REPORT_MS = 10_000;

/** Not given up when the attempt is: what happened outside does not become undone by that. */
async function send(report: SentReport): Promise<void> {
  const url = process.env['FLOTILLA_EFFECTS_URL'];
  if (url === undefined) throw new Error('FLOTILLA_EFFECTS_URL does not say where to report effects');
  const response = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(report),
    signal: AbortSignal.timeout(REPORT_MS),
  });
  if (!response.ok) throw new Error(`the recorder of effects answered ${response.status}: ${await response.text()}`);
}
