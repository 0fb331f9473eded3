import type { DeadLetterFilter, DeadLetterView } from '@flotilla/contracts';
import { DEAD_RUN_FIELDS, type DeadRun, deadLetterView, parseDeadRun } from './dead-letter-view.ts';
import { hasNoPlan } from './has-no-plan.ts';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { allTags, invalidCursor, type ReadDependencies, tagOfRun } from './read-runs.ts';
import { headerAndOutput } from './run-fields.ts';

export interface DeadLetterQuery extends DeadLetterFilter {
  cursor?: string | undefined;
  limit: number;
  /** By when their runs ended. Default: the newest first. */
  order?: 'newest' | 'oldest';
  /** The letters of a run are never divided: the last run may go over the limit. */
  wholeRuns?: boolean;
}

interface DeadLetterReads extends ReadDependencies {
  readPlan: (tag: string, definitionHash: string) => Promise<PlanShape>;
}

/** Runs that are read side by side. */
const RUNS_A_PAGE = 50;
/** Letters of one run that are read at once. */
const LETTERS_A_PAGE = 100;
/** A page looks at no more runs and letters than this for those that fit; the cursor goes on from there. */
const MOST_LOOKED_AT = 2000;
/** Above the number of any step: behind all letters of a run. */
const LAST_STEP = 1_000_000;

/** Where a list goes on: behind this letter of this run. */
interface Position {
  deadSince: number;
  runId: string;
  step: number;
}

interface RunEntry {
  runId: string;
  deadSince: number;
}

/** Dead letters of one run, as far as they were read. */
interface RunLetters {
  letters: { step: number; view: DeadLetterView }[];
  lookedAt: number;
  /** The last letter that was read, when there may be more of this run. */
  goesOnAfter: number | undefined;
}

/**
 * Dead letters by when their runs ended, those of a run by the order of its steps. A page may be shorter than the limit while
 * there is a cursor: rare matches take several.
 */
export async function listDeadLetters(
  dependencies: DeadLetterReads,
  query: DeadLetterQuery,
): Promise<{ deadLetters: DeadLetterView[]; cursor?: string }> {
  const deadLetters: DeadLetterView[] = [];
  let position = parseCursor(query.cursor);
  let lookedAt = 0;
  for (;;) {
    const behind = await runsBehind(dependencies, query, position);
    if (behind.length === 0) return { deadLetters };
    // Within a run of many letters the others' would be read again with each of its pages.
    const entries = position !== undefined && position.step < LAST_STEP ? behind.slice(0, 1) : behind;
    const read = await Promise.all(entries.map((entry) => readLetters(dependencies, query, entry, position)));
    for (const [index, { letters, goesOnAfter, ...part }] of read.entries()) {
      const entry = entries[index]!;
      for (const { step, view } of letters) {
        if (isFull(deadLetters, view, query)) return { deadLetters, cursor: formatCursor(position!) };
        deadLetters.push(view);
        position = { ...entry, step };
      }
      lookedAt += 1 + part.lookedAt;
      position = { ...entry, step: goesOnAfter ?? LAST_STEP };
      if (goesOnAfter !== undefined) break;
    }
    const mayStop = lookedAt >= MOST_LOOKED_AT && !(query.wholeRuns === true && position!.step < LAST_STEP);
    if (mayStop) return { deadLetters, cursor: formatCursor(position!) };
  }
}

function isFull(
  found: readonly DeadLetterView[],
  next: DeadLetterView,
  { limit, wholeRuns }: DeadLetterQuery,
): boolean {
  return found.length >= limit && !(wholeRuns === true && found.at(-1)?.runId === next.runId);
}

async function readLetters(
  { readPlan, ...dependencies }: DeadLetterReads,
  query: DeadLetterQuery,
  { runId, deadSince }: RunEntry,
  position: Position | undefined,
): Promise<RunLetters> {
  const tag = tagOfRun(dependencies, runId);
  const key = stateKey(tag, 'run', runId);
  const { client } = dependencies;
  // A run that has died again since is another matter.
  const isGoingOn = position?.runId === runId && position.deadSince === deadSince;
  const from = isGoingOn ? `(${position.step}` : '-inf';
  const [fields, steps] = await Promise.all([
    client.hmget(key, ...DEAD_RUN_FIELDS).catch(noneIfDamaged),
    client
      .zrangebyscore(stateKey(tag, 'deadLetters', runId), from, '+inf', 'LIMIT', 0, LETTERS_A_PAGE)
      .catch(noneIfDamaged),
  ]);
  // It may have been opened again or pruned since the index was read.
  const run = parseDeadRun(runId, fields);
  const isWanted = run !== undefined && (query.workflow === undefined || run.workflow === query.workflow);
  if (!isWanted || steps.length === 0) return { letters: [], lookedAt: 0, goesOnAfter: undefined };
  const plan = await planOf(readPlan, tag, run);
  const values = await client.hmget(key, ...steps.flatMap((step) => headerAndOutput(step)));
  const letters = steps.flatMap((step, index) => {
    const stored = { header: values[index * 2], body: values[index * 2 + 1] };
    const view = withoutStack(deadLetterView(run, plan, step, stored));
    return view !== undefined && fits(view, query) ? [{ step: Number(step), view }] : [];
  });
  const last = Number(steps.at(-1));
  const goesOnAfter = steps.length === LETTERS_A_PAGE && last < LAST_STEP ? last : undefined;
  return { letters, lookedAt: steps.length, goesOnAfter };
}

/** A key that is not what it was is of one run, which then has no letters: it does not hide those of the others. */
function noneIfDamaged(error: unknown): [] {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return [];
  throw error;
}

/** One run whose definition is damaged, or is not understood here, does not hide the others. */
async function planOf(
  readPlan: DeadLetterReads['readPlan'],
  tag: string,
  { definitionHash }: DeadRun,
): Promise<PlanShape | undefined> {
  try {
    return await readPlan(tag, definitionHash);
  } catch (error) {
    if (hasNoPlan(error)) return undefined;
    throw error;
  }
}

/** A page of them would be megabytes: what is asked for one by one has it. */
function withoutStack(view: DeadLetterView | undefined): DeadLetterView | undefined {
  if (view === undefined) return undefined;
  const { stack: _, ...error } = view.error;
  return { ...view, error };
}

function fits(view: DeadLetterView, { stepId, use, errorCode, errorType, reason }: DeadLetterQuery): boolean {
  return (
    (stepId === undefined || view.stepId === stepId) &&
    (use === undefined || view.use === use) &&
    (errorCode === undefined || view.error.code === errorCode) &&
    (errorType === undefined || view.error.type === errorType) &&
    (reason === undefined || view.reason === reason)
  );
}

/** The next runs of all partitions that have dead letters, from the run of `position` on. */
async function runsBehind(
  { client, namespace, partitions }: ReadDependencies,
  { order = 'newest', since, until }: DeadLetterQuery,
  position: Position | undefined,
): Promise<RunEntry[]> {
  const isNewest = order === 'newest';
  const lowest = Math.max(since ?? 0, isNewest ? 0 : (position?.deadSince ?? 0));
  const highest = Math.min(
    until ?? Number.MAX_SAFE_INTEGER,
    isNewest ? (position?.deadSince ?? Number.MAX_SAFE_INTEGER) : Number.MAX_SAFE_INTEGER,
  );
  const compare = (a: RunEntry, b: RunEntry) => (isNewest ? -1 : 1) * compareEntries(a, b);
  const lists = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const key = stateKey(tag, 'dead');
      const found: RunEntry[] = [];
      // Runs of one millisecond are ordered by id: those before the position within it are passed over, page by page.
      for (let offset = 0; found.length < RUNS_A_PAGE; offset += RUNS_A_PAGE) {
        const page = ['WITHSCORES', 'LIMIT', offset, RUNS_A_PAGE] as const;
        const reply = isNewest
          ? await client.zrevrangebyscore(key, highest, lowest, ...page)
          : await client.zrangebyscore(key, lowest, highest, ...page);
        for (let index = 0; index < reply.length; index += 2) {
          const entry = { runId: reply[index]!, deadSince: Number(reply[index + 1]) };
          if (position === undefined || isBehind(entry, position, compare)) found.push(entry);
        }
        if (reply.length < RUNS_A_PAGE * 2) break;
      }
      return found;
    }),
  );
  return lists.flat().sort(compare).slice(0, RUNS_A_PAGE);
}

function isBehind(entry: RunEntry, position: Position, compare: (a: RunEntry, b: RunEntry) => number): boolean {
  const order = compare(position, entry);
  return order < 0 || (order === 0 && position.step < LAST_STEP);
}

function compareEntries(a: RunEntry, b: RunEntry): number {
  if (a.deadSince !== b.deadSince) return a.deadSince - b.deadSince;
  return a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0;
}

function formatCursor({ deadSince, runId, step }: Position): string {
  return Buffer.from(`${deadSince}|${step}|${runId}`).toString('base64url');
}

function parseCursor(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\|(\d{1,7})\|(.+)$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw invalidCursor();
  return { deadSince: Number(match[1]), step: Number(match[2]), runId: match[3]! };
}
