import type { CleanupView, FailedCleanups } from '@flotilla/contracts';
import { hasNoPlan } from './has-no-plan.ts';
import { stateKey } from './keys.ts';
import { allTags, invalidCursor, type ReadDependencies, readRun } from './read-runs.ts';

interface FailedCleanupReads extends ReadDependencies {
  listCleanups: (
    runId: string,
    page: { limit: number; cursor?: string },
  ) => Promise<{
    cleanups: CleanupView[];
    cursor?: string;
  }>;
}

interface Entry {
  runId: string;
  endedAt: number;
}

/** Cleanups of one run that are named: the run itself lists all. */
const MOST_OF_A_RUN = 20;
const PAGE = 500;

/** Ended runs of which compensations or cleanups have failed for good, the newest first. */
export async function listFailedCleanups(
  dependencies: FailedCleanupReads,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<{ runs: FailedCleanups[]; cursor?: string }> {
  const entries = await entriesBehind(dependencies, limit + 1, parseCursor(cursor));
  const page = entries.slice(0, limit);
  const found = await Promise.all(page.map((entry) => summarise(dependencies, entry)));
  // One may have been opened again or pruned since the index was read.
  const runs = found.filter((run) => run !== undefined);
  return entries.length > limit ? { runs, cursor: formatCursor(page.at(-1)!) } : { runs };
}

/** How many such runs there are. */
export async function countFailedCleanups({ client, namespace, partitions }: ReadDependencies): Promise<number> {
  const tags = allTags(namespace, partitions);
  const counts = await Promise.all(tags.map((tag) => client.zcard(stateKey(tag, 'failedCleanups'))));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function entriesBehind(
  { client, namespace, partitions }: ReadDependencies,
  limit: number,
  behind: Entry | undefined,
): Promise<Entry[]> {
  const highest = behind?.endedAt ?? '+inf';
  const lists = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const key = stateKey(tag, 'failedCleanups');
      const found: Entry[] = [];
      // Runs of one millisecond are ordered by id: those that were listed before are passed over.
      for (let offset = 0; found.length < limit; offset += limit) {
        const reply = await client.zrevrangebyscore(key, highest, '-inf', 'WITHSCORES', 'LIMIT', offset, limit);
        for (let index = 0; index < reply.length; index += 2) {
          const entry = { runId: reply[index]!, endedAt: Number(reply[index + 1]) };
          if (behind === undefined || newestFirst(behind, entry) < 0) found.push(entry);
        }
        if (reply.length < limit * 2) break;
      }
      return found;
    }),
  );
  return lists.flat().sort(newestFirst).slice(0, limit);
}

function newestFirst(a: Entry, b: Entry): number {
  if (a.endedAt !== b.endedAt) return b.endedAt - a.endedAt;
  return a.runId > b.runId ? -1 : a.runId < b.runId ? 1 : 0;
}

async function summarise(
  dependencies: FailedCleanupReads,
  { runId, endedAt }: Entry,
): Promise<FailedCleanups | undefined> {
  const run = await readRun(dependencies, runId);
  if (run?.cleanups === undefined || run.cleanups.failed + run.cleanups.left === 0) return undefined;
  const { workflow, version, status } = run;
  const { failed, left } = run.cleanups;
  const about = { runId, workflow, ...(version !== undefined && { version }), status, endedAt, failed, left };
  try {
    return { ...about, cleanups: await readOpen(dependencies, runId) };
  } catch (error) {
    // One run whose definition is damaged, or is not understood here, does not hide the others.
    if (hasNoPlan(error)) return { ...about, cleanups: [] };
    throw error;
  }
}

/** Those that are not made, without their stacks: a page of runs would be megabytes. */
async function readOpen({ listCleanups }: FailedCleanupReads, runId: string): Promise<CleanupView[]> {
  const found: CleanupView[] = [];
  let cursor: string | undefined;
  do {
    const page = await listCleanups(runId, { limit: PAGE, ...(cursor !== undefined && { cursor }) });
    found.push(...page.cleanups.filter(({ status }) => status !== 'succeeded').map(withoutStack));
    cursor = page.cursor;
  } while (cursor !== undefined && found.length < MOST_OF_A_RUN);
  return found.slice(0, MOST_OF_A_RUN);
}

function withoutStack(view: CleanupView): CleanupView {
  if (view.error === undefined) return view;
  const { stack: _, ...error } = view.error;
  return { ...view, error };
}

function formatCursor({ endedAt, runId }: Entry): string {
  return Buffer.from(`${endedAt}|${runId}`).toString('base64url');
}

function parseCursor(cursor: string | undefined): Entry | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\|(.+)$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw invalidCursor();
  return { endedAt: Number(match[1]), runId: match[2]! };
}
