import {
  FlotillaError,
  isSettledStepStatus,
  type Json,
  type StepError,
  type StepStatus,
  type StepView,
  type WaitKind,
} from '@flotilla/contracts';
import { RUN, STEP } from './format.ts';
import type { PlanShape, PlanShapeStep, StepKey } from './plan-shape.ts';
import type { ReadDependencies } from './read-runs.ts';
import { addProgress } from './reported-progress.ts';
import { headerAndOutput, headerField } from './run-fields.ts';
import { hasEnded } from './run-record.ts';
import { HEADER_STATUS, parseStepHeader, type StepHeader, type StoredWait } from './step-header.ts';
import {
  cursorOf,
  following,
  itemKeys,
  type Position,
  parsePosition,
  type RunBasics,
  readBasics,
  type StepPageDependencies,
  stepKeys,
} from './step-pages.ts';
import { nameTurnTakers } from './turn-takers.ts';

/** A page ends when the outputs and errors in it are this long together, however many more were asked for. */
export const MAX_PAGE_BYTES = 8_388_608;
/** So many are read at once, and may exceed that. */
const STEPS_A_READ = 25;

/**
 * Steps in the order of the definition, a map's items behind it. `cursor` is where the next page begins: a page may have
 * fewer than `limit` although there are more.
 */
export async function listSteps(
  dependencies: StepPageDependencies,
  runId: string,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ steps: StepView[]; cursor?: string }> {
  const { plan } = dependencies;
  const run = await readBasics(dependencies, runId);
  const steps: StepView[] = [];
  let position = parsePosition(page.cursor);
  let bytes = 0;
  while (position.step < plan.steps.length && steps.length < page.limit && bytes < MAX_PAGE_BYTES) {
    const limit = Math.min(STEPS_A_READ, page.limit - steps.length);
    const part =
      position.item === undefined
        ? await readSteps(dependencies, run, position.step, limit)
        : await readItems(dependencies, run, plan, position, limit);
    steps.push(...part.steps);
    bytes += part.bytes;
    position = part.next;
  }
  await addProgress(dependencies.client, dependencies.namespace, run.running);
  return position.step < plan.steps.length ? { steps, cursor: cursorOf(position) } : { steps };
}

interface StepPart {
  steps: StepView[];
  next: Position;
  /** What was read of outputs and errors. */
  bytes: number;
}

function bytesOf(values: readonly (string | null)[]): number {
  return values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
}

/** Steps from `first` on, up to a map whose items come next: they have keys of their own. */
async function readSteps(
  { client, plan }: StepPageDependencies,
  run: RunBasics,
  first: number,
  limit: number,
): Promise<StepPart> {
  const keys = stepKeys(plan, first, limit);
  const values = await client.hmget(run.key, ...keys.flatMap((key) => headerAndOutput(key)));
  const steps: StepView[] = [];
  let next: Position = { step: first, item: undefined };
  for (const [index, key] of keys.entries()) {
    const stored = values[index * 2];
    const header = stored == null ? undefined : parseStepHeader(stored, run.createdAt);
    steps.push(stepView(plan, plan.steps[next.step]!, undefined, header, values[index * 2 + 1] ?? null, run, key));
    next = following(next, header);
    if (next.item !== undefined) break;
  }
  return { steps, next, bytes: bytesOf(values) };
}

async function readItems(
  { client }: ReadDependencies,
  run: RunBasics,
  plan: PlanShape,
  position: Position,
  limit: number,
): Promise<StepPart> {
  const step = plan.steps[position.step]!;
  const parent = await client.hget(run.key, headerField(step.index));
  const header = parent == null ? undefined : parseStepHeader(parent, run.createdAt);
  const count = header?.map?.next ?? 0;
  const first = position.item ?? 0;
  const last = Math.min(count, first + limit);
  const steps: StepView[] = [];
  let bytes = 0;
  if (last > first) {
    const keys = itemKeys(step.index, first, last);
    const values = await client.hmget(run.key, ...keys.flatMap((key) => headerAndOutput(key)));
    bytes = bytesOf(values);
    keys.forEach((key, index) => {
      const own = values[index * 2] == null ? undefined : parseStepHeader(values[index * 2]!, run.createdAt);
      const view = stepView(plan, step, first + index, own, values[index * 2 + 1] ?? null, run, key);
      const isOver =
        header?.state === STEP.failed || (header?.state === STEP.mapSucceeded && step.kind === 'broadcast');
      steps.push(isOver ? withoutProspects(view) : view);
    });
    bytes += await nameTurnTakers(client, run.key, { step, first, steps });
  }
  const next = last < count ? { step: step.index, item: last } : { step: step.index + 1, item: undefined };
  return { steps, next, bytes };
}

/** What had not begun when its map failed, or would be tried again, will not be. */
function withoutProspects({ nextAttemptAt: _never, ...view }: StepView): StepView {
  if (isSettledStepStatus(view.status) || view.status === 'running') return view;
  return { ...view, status: 'cancelled', reason: 'map-settled' };
}

function stepView(
  plan: PlanShape,
  step: PlanShapeStep,
  item: number | undefined,
  header: StepHeader | undefined,
  body: string | null,
  run: RunBasics,
  _key: StepKey,
): StepView {
  const view: StepView = {
    stepId: item === undefined ? step.id : `${step.id}[${item}]`,
    kind: step.kind,
    status: statusOf(header, run, item),
    attempts: header === undefined ? 0 : attemptsOf(header),
  };
  if (step.title !== undefined) view.title = step.title;
  if (step.work !== undefined) Object.assign(view, needsOfWork(step.work));
  if (item === undefined && step.needs.length > 0 && step.needs.length <= 100) {
    view.needs = step.needs.map((need) => plan.steps[need]!.id);
  }
  if (header === undefined) {
    if (view.status === 'cancelled') view.reason = 'run-ended';
    return view;
  }
  if (header.crashes > 0) view.lost = header.crashes;
  if (header.startedAt !== undefined && header.state !== STEP.skipped) view.startedAt = header.startedAt;
  if (header.endedAt !== undefined && view.status !== 'ready' && view.status !== 'backing-off')
    view.endedAt = header.endedAt;
  const since = header.endedAt ?? header.startedAt;
  if (since !== undefined) view.since = since;
  if (header.worker !== '') view.worker = header.worker;
  if (header.state === STEP.running) run.running.set(view, header.attemptId);
  if (header.reason) view.reason = header.reason;
  if (header.state === STEP.backingOff && header.dueAt !== undefined) view.nextAttemptAt = header.dueAt;
  if (header.wait !== undefined && view.status === 'running')
    view.wait = waitView(view.stepId, header.wait, header.dueAt, run);
  if (body !== null) {
    const isError =
      header.state === STEP.failed ||
      header.state === STEP.quarantined ||
      header.state === STEP.backingOff ||
      header.state === STEP.cancelled;
    if (isError) view.error = JSON.parse(body) as StepError;
    else if (header.state === STEP.succeeded) Object.assign(view, verifiedOutput(view.stepId, header, body, run));
  }
  return view;
}

function waitView(
  stepId: string,
  { kind, subject }: StoredWait,
  until: number | undefined,
  { runId }: RunBasics,
): NonNullable<StepView['wait']> {
  const subjects: Record<WaitKind, string> = {
    signal: subject,
    approval: `${runId}.${stepId}`,
    webhook: `/v1/webhooks/${runId}/${encodeURIComponent(stepId)}/${subject}`,
    workflow: subject,
    send: subject,
    receive: subject,
  };
  return { kind, subject: subjects[kind], ...(until !== undefined && { until }) };
}

function needsOfWork({ use, capability, queue }: NonNullable<PlanShapeStep['work']>): Partial<StepView> {
  return { use, queue, ...(capability !== undefined && { capability }) };
}

/** A step of a run that is ending or has ended and has not settled itself is cancelled: nobody writes that down. */
function statusOf(header: StepHeader | undefined, run: RunBasics, item: number | undefined): StepStatus {
  const status: StepStatus =
    header === undefined ? (item === undefined ? 'waiting' : 'ready') : HEADER_STATUS[header.state];
  const settled = status === 'succeeded' || status === 'failed' || status === 'skipped' || status === 'quarantined';
  if (hasEnded(run.status) && !settled) return 'cancelled';
  if (run.status === RUN.ending && !settled && status !== 'running') return 'cancelled';
  return status;
}

/** The output, or an error in its place when it is not what was committed. */
function verifiedOutput(
  stepId: string,
  { fence, checkpoint }: StepHeader,
  stateJson: string,
  { runId, createdAt, seal }: RunBasics,
): Pick<StepView, 'output' | 'error'> {
  const { seq = 0, ts = 0, previous = '', checksum } = checkpoint ?? {};
  try {
    seal.verify({ runId, stepId, seq, fence: fence ?? createdAt, stateJson, ts, previous }, checksum);
    return { output: JSON.parse(stateJson) as Json };
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    return { error: { type: 'non_retryable', code: error.code, message: error.message } };
  }
}

/** Attempts charged: failures, and the one that runs or has succeeded. */
function attemptsOf(header: StepHeader): number {
  if (header.state === STEP.running || (header.state === STEP.succeeded && header.attemptId !== ''))
    return header.failures + 1;
  return header.failures;
}
