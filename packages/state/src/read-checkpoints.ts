import type { CheckpointView } from '@flotilla/contracts';
import { CHECKPOINT_VERSION, type CheckpointEnvelope } from './checkpoint.ts';
import { type StepKey, stepIdOf } from './plan-shape.ts';
import { headerField, outputField, progressField, progressPlaceField, setAsideField } from './run-fields.ts';
import { parseStepHeader, type StepHeader } from './step-header.ts';
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
import { type ProgressRecord, parsePlace, parseProgress, type StoredProgress } from './stored-progress.ts';

/** So many are read at once: what they have stored may be large, and only a little of it is told. */
const STEPS_A_READ = 25;

/** What is stored of one step or item. */
interface StoredStep {
  key: StepKey;
  header: StepHeader | undefined;
  outputJson: string;
  progress: ProgressRecord;
  setAside: StoredProgress | undefined;
}

/**
 * The checkpoints of a run, each verified now: of steps in the order of the definition, a map's items behind it, progress
 * before the result. A page looks at `limit` steps and items; `cursor` is where the next one begins.
 */
export async function listCheckpoints(
  dependencies: StepPageDependencies,
  runId: string,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ checkpoints: CheckpointView[]; cursor?: string }> {
  const { plan } = dependencies;
  const run = await readBasics(dependencies, runId);
  const checkpoints: CheckpointView[] = [];
  let position = parsePosition(page.cursor);
  let left = page.limit;
  while (position.step < plan.steps.length && left > 0) {
    const { stored, next } = await readPart(dependencies, run, position, Math.min(left, STEPS_A_READ));
    for (const step of stored) {
      checkpoints.push(...viewsOf(run, stepIdOf(plan, step.key), step));
    }
    left -= stored.length;
    position = next;
  }
  return position.step < plan.steps.length ? { checkpoints, cursor: cursorOf(position) } : { checkpoints };
}

/** Steps from a position on, up to a map whose items come next; or items of that map. */
async function readPart(
  dependencies: StepPageDependencies,
  run: RunBasics,
  position: Position,
  limit: number,
): Promise<{ stored: StoredStep[]; next: Position }> {
  const { plan } = dependencies;
  if (position.item !== undefined) return readItems(dependencies, run, position.step, position.item, limit);
  const stored: StoredStep[] = [];
  let next: Position = position;
  for (const step of await readStored(dependencies, run, stepKeys(plan, position.step, limit))) {
    stored.push(step);
    next = following(next, step.header);
    if (next.item !== undefined) break;
  }
  return { stored, next };
}

async function readItems(
  dependencies: StepPageDependencies,
  run: RunBasics,
  step: number,
  first: number,
  limit: number,
): Promise<{ stored: StoredStep[]; next: Position }> {
  const [map] = await readStored(dependencies, run, [String(step)]);
  const count = map?.header?.map?.next ?? 0;
  const last = Math.min(count, first + limit);
  const stored = last > first ? await readStored(dependencies, run, itemKeys(step, first, last)) : [];
  return { stored, next: last < count ? { step, item: last } : { step: step + 1, item: undefined } };
}

async function readStored(
  { client }: StepPageDependencies,
  run: RunBasics,
  keys: readonly StepKey[],
): Promise<StoredStep[]> {
  const fields = keys.flatMap((key) => [
    headerField(key),
    outputField(key),
    progressField(key),
    progressPlaceField(key, 0),
    progressPlaceField(key, 1),
    progressPlaceField(key, 2),
    setAsideField(key),
  ]);
  const values = await client.hmget(run.key, ...fields);
  const each = fields.length / keys.length;
  return keys.map((key, index) => {
    const [header, output, newest, ...places] = values.slice(index * each, (index + 1) * each);
    const setAside = places.pop();
    return {
      key,
      header: header == null ? undefined : parseStepHeader(header, run.createdAt),
      outputJson: output ?? '',
      progress: parseProgress(newest, places, run.createdAt),
      setAside: setAside == null ? undefined : parsePlace(setAside, 0, run.createdAt),
    };
  });
}

function viewsOf(run: RunBasics, stepId: string, stored: StoredStep): CheckpointView[] {
  const { header, outputJson, progress, setAside } = stored;
  const views: CheckpointView[] = [];
  if (setAside !== undefined) views.push({ ...viewOfProgress(run, stepId, setAside), kind: 'set-aside' });
  for (const kept of progress.kept) views.push(viewOfProgress(run, stepId, kept));
  const newest = progress.kept.at(-1)?.checkpoint;
  if (newest?.checksum !== progress.newest?.checksum || newest?.seq !== progress.newest?.seq) {
    views.push(viewOfMissing(run, stepId, progress));
  }
  if (header?.checkpoint !== undefined) {
    const { ts, seq, checksum, previous } = header.checkpoint;
    const fence = header.fence ?? run.createdAt;
    const envelope = { runId: run.runId, stepId, seq, fence, stateJson: outputJson, ts, previous };
    views.push(viewOf(run, 'result', envelope, checksum));
  }
  return views;
}

function viewOfProgress(
  run: RunBasics,
  stepId: string,
  { checkpoint, fence, stateJson }: StoredProgress,
): CheckpointView {
  const { ts, seq, checksum, previous } = checkpoint;
  const envelope = { kind: 'progress', runId: run.runId, stepId, seq, fence, stateJson, ts, previous } as const;
  return viewOf(run, 'progress', envelope, checksum);
}

/** The step says that another checkpoint is its newest than the one that stands there. */
function viewOfMissing({ runId, createdAt }: RunBasics, stepId: string, { newest }: ProgressRecord): CheckpointView {
  return {
    version: CHECKPOINT_VERSION,
    kind: 'progress',
    runId,
    stepId,
    seq: newest?.seq ?? 0,
    fence: createdAt,
    ts: createdAt,
    previous: '',
    checksum: newest?.checksum ?? '',
    verified: false,
    problem: newest === undefined ? 'the step does not say which checkpoint is its newest' : 'is gone or was exchanged',
  };
}

function viewOf(
  { seal }: RunBasics,
  kind: CheckpointView['kind'],
  envelope: CheckpointEnvelope,
  checksum: string,
): CheckpointView {
  const { runId, stepId, previous } = envelope;
  const problem = seal.problemOf(envelope, checksum);
  // Of a damaged record no number may be readable: JSON has none that is not one.
  const [seq, fence, ts] = [envelope.seq, envelope.fence, envelope.ts].map((value) =>
    Number.isFinite(value) ? value : 0,
  );
  return {
    version: CHECKPOINT_VERSION,
    kind,
    ...{ runId, stepId, seq: seq!, fence: fence!, ts: ts!, previous, checksum },
    verified: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}
