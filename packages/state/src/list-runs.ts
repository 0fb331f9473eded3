import type { RunView } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { FIELD } from './format.ts';
import { stateKey } from './keys.ts';
import { allTags, invalidCursor, type ReadDependencies, tagOfRun } from './read-runs.ts';
import { parseRun, RUN_FIELDS } from './run-record.ts';
import { type RunFilter, type RunSets, setsOf } from './run-sets.ts';

export interface RunQuery extends RunFilter {
  cursor?: string | undefined;
  limit: number;
}

/** A page looks at no more than this many runs for those that fit; the cursor continues behind them. */
const MAX_LOOKED_AT = 20_000;

/** Where a list stands: behind this run. */
interface RunEntry {
  runId: string;
  createdAt: number;
}

/** Payloads are large and lists do not show them: in their place stands a field that no run has. */
const LISTED_FIELDS = RUN_FIELDS.map((field) => (field === FIELD.input || field === FIELD.output ? '-' : field));

/** Runs that fit, the newest first. A page may be shorter than the limit while there is a cursor: rare matches take several. */
export async function listRuns(
  dependencies: ReadDependencies,
  query: RunQuery,
): Promise<{ runs: RunView[]; cursor?: string }> {
  const { entries, cursor } = await listRunEntries(dependencies, query);
  const views = await Promise.all(entries.map(({ runId }) => readListedRun(dependencies, runId)));
  const runs = views.filter((view) => view !== undefined);
  return cursor === undefined ? { runs } : { runs, cursor };
}

/** A run without its input and output. */
export async function readListedRun(dependencies: ReadDependencies, runId: string): Promise<RunView | undefined> {
  const key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  return parseRun(runId, await dependencies.client.hmget(key, ...LISTED_FIELDS));
}

/** The same by id alone. */
async function listRunEntries(
  dependencies: ReadDependencies,
  query: RunQuery,
): Promise<{ entries: RunEntry[]; cursor?: string }> {
  const { client, namespace, partitions } = dependencies;
  const sets = allTags(namespace, partitions).map((tag) => setsOf(tag, query));
  const entries: RunEntry[] = [];
  let position = parseCursor(query.cursor);
  let lookedAt = 0;
  for (;;) {
    const page = await pageBehind(client, sets, { ...query, position });
    lookedAt += page.lookedAt;
    for (const entry of page.fitting) {
      entries.push(entry);
      if (entries.length === query.limit) return { entries, cursor: formatCursor(entry) };
    }
    if (page.last === undefined) return { entries };
    position = page.last;
    if (lookedAt >= MAX_LOOKED_AT) return { entries, cursor: formatCursor(position) };
  }
}

interface PageQuery extends Pick<RunQuery, 'from' | 'to' | 'limit'> {
  position: RunEntry | undefined;
}

interface Page {
  fitting: RunEntry[];
  /** The last run that was looked at; absent when there are no more. */
  last: RunEntry | undefined;
  lookedAt: number;
}

/** The newest runs of all partitions behind the position, ordered by creation, then id. */
async function pageBehind(client: RedisClient, sets: readonly RunSets[], query: PageQuery): Promise<Page> {
  const found = await Promise.all(
    sets.flatMap(({ anyOf, allOf }) => anyOf.map((key) => newestOf(client, key, allOf, query))),
  );
  const entries = found.flat().sort(compareRunEntries).slice(0, query.limit);
  return {
    fitting: entries.filter(({ fits }) => fits),
    last: entries.length < query.limit ? undefined : entries.at(-1),
    lookedAt: entries.length,
  };
}

async function newestOf(
  client: RedisClient,
  key: string,
  allOf: readonly string[],
  { position, from, to, limit }: PageQuery,
): Promise<(RunEntry & { fits: boolean })[]> {
  const lowest = from ?? '-inf';
  const highest = Math.min(to ?? Number.MAX_SAFE_INTEGER, position?.createdAt ?? Number.MAX_SAFE_INTEGER);
  const found: RunEntry[] = [];
  // Runs of one millisecond are ordered by id: those before the position within it are passed over, page by page.
  for (let offset = 0; found.length < limit; offset += limit) {
    const reply = await client.zrevrangebyscore(key, highest, lowest, 'WITHSCORES', 'LIMIT', offset, limit);
    for (let index = 0; index < reply.length; index += 2) {
      const entry = { runId: reply[index]!, createdAt: Number(reply[index + 1]) };
      if (position === undefined || compareRunEntries(position, entry) < 0) found.push(entry);
    }
    if (reply.length < limit * 2) break;
  }
  return withFits(client, found, allOf);
}

async function withFits(client: RedisClient, entries: readonly RunEntry[], allOf: readonly string[]) {
  if (entries.length === 0 || allOf.length === 0) return entries.map((entry) => ({ ...entry, fits: true }));
  const ids = entries.map(({ runId }) => runId);
  const scores = await Promise.all(allOf.map((key) => client.zmscore(key, ...ids)));
  return entries.map((entry, index) => ({ ...entry, fits: scores.every((ofSet) => ofSet[index] != null) }));
}

export function compareRunEntries(a: RunEntry, b: RunEntry): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.runId < b.runId ? 1 : a.runId > b.runId ? -1 : 0;
}

function formatCursor({ runId, createdAt }: RunEntry): string {
  return Buffer.from(`${createdAt}|${runId}`).toString('base64url');
}

function parseCursor(cursor: string | undefined): RunEntry | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\|(.+)$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw invalidCursor();
  return { createdAt: Number(match[1]), runId: match[2]! };
}
