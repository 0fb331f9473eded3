import type { CheckpointView } from '@flotilla/contracts';
import { CHECKPOINT_VERSION, checkpointChecksum } from './checkpoint.ts';
import { type StepKey, stepIdOf } from './plan-shape.ts';
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
import { parseStoredProgress } from './stored-progress.ts';

/** What is stored of one step or item. */
interface StoredStep {
  key: StepKey;
  header: StepHeader | undefined;
  outputJson: string;
  progress: string | undefined;
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
    const { stored, next } = await readPart(dependencies, run, position, left);
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
  const values = await client.hmget(run.key, ...keys.flatMap((key) => [`s${key}`, `o${key}`, `k${key}`]));
  return keys.map((key, index) => {
    const [header, output, progress] = values.slice(index * 3, index * 3 + 3);
    return {
      key,
      header: header == null ? undefined : parseStepHeader(header, run.createdAt),
      outputJson: output ?? '',
      progress: progress ?? undefined,
    };
  });
}

function viewsOf(run: RunBasics, stepId: string, { header, outputJson, progress }: StoredStep): CheckpointView[] {
  const views: CheckpointView[] = [];
  if (progress !== undefined) {
    const { checkpoint, stateJson } = parseStoredProgress(progress, run.createdAt);
    // In-step progress is chained to nothing: the fence that saved it stands in the place of `previous`.
    const fence = Number(checkpoint.previous);
    views.push(viewOf(run, stepId, 'progress', { ...checkpoint, previous: '' }, fence, stateJson));
  }
  if (header?.checkpoint !== undefined) {
    views.push(viewOf(run, stepId, 'result', header.checkpoint, header.fence ?? run.createdAt, outputJson));
  }
  return views;
}

function viewOf(
  { runId }: RunBasics,
  stepId: string,
  kind: CheckpointView['kind'],
  { ts, seq, checksum, previous }: NonNullable<StepHeader['checkpoint']>,
  fence: number,
  stateJson: string,
): CheckpointView {
  const verified = checkpointChecksum({ runId, stepId, seq, fence, stateJson, ts, previous }) === checksum;
  return { version: CHECKPOINT_VERSION, kind, runId, stepId, seq, fence, ts, previous, checksum, verified };
}
