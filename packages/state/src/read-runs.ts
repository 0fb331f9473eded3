import { FlotillaError, type RunView } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { FIELD } from './format.ts';
import { type KeySuffix, partitionTag, stateKey } from './keys.ts';
import { partitionOfRun } from './run-id.ts';
import { parseRun, RUN_FIELDS } from './run-record.ts';

export interface ReadDependencies {
  client: RedisClient;
  namespace: string;
  partitions: number;
}

export function tagOfRun({ namespace, partitions }: ReadDependencies, runId: string): string {
  return partitionTag(namespace, partitionOfRun(runId, partitions));
}

export function allTags(namespace: string, partitions: number): string[] {
  return Array.from({ length: partitions }, (_, partition) => partitionTag(namespace, partition));
}

/** Payloads are large and lists do not show them: in their place stands a field that no run has. */
const LISTED_FIELDS = RUN_FIELDS.map((field) => (field === FIELD.input || field === FIELD.output ? '-' : field));

/** A run without its input and output. */
async function readListedRun(dependencies: ReadDependencies, runId: string): Promise<RunView | undefined> {
  const key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  return parseRun(runId, await dependencies.client.hmget(key, ...LISTED_FIELDS));
}

export async function readRun(dependencies: ReadDependencies, runId: string): Promise<RunView | undefined> {
  const key = stateKey(tagOfRun(dependencies, runId), 'run', runId);
  return parseRun(runId, await dependencies.client.hmget(key, ...RUN_FIELDS));
}

export interface RunQuery {
  workflow?: string | undefined;
  status?: string | undefined;
  tag?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

const TERMINAL = new Set(['succeeded', 'failed', 'cancelled', 'timed-out']);
/** A page looks at no more than this many runs for those that match; the cursor goes on from there. */
const MOST_LOOKED_AT = 2000;

interface Entry {
  runId: string;
  createdAt: number;
}

/** Runs from the newest on. A page may be shorter than the limit while there is a cursor: rare matches take several. */
export async function listRuns(
  dependencies: ReadDependencies,
  query: RunQuery,
): Promise<{ runs: RunView[]; cursor?: string }> {
  const { suffix, id } = indexFor(query);
  const runs: RunView[] = [];
  let position: Entry | undefined = parseCursor(query.cursor);
  let lookedAt = 0;
  for (;;) {
    const entries = await newestBefore(dependencies, suffix, id, position, query.limit);
    if (entries.length === 0) return { runs };
    const views = await Promise.all(entries.map((entry) => readListedRun(dependencies, entry.runId)));
    for (const [index, entry] of entries.entries()) {
      position = entry;
      const view = views[index];
      if (view !== undefined && matches(view, query)) runs.push(view);
      if (runs.length === query.limit) return { runs, cursor: formatCursor(entry) };
    }
    lookedAt += entries.length;
    if (lookedAt >= MOST_LOOKED_AT && position !== undefined) return { runs, cursor: formatCursor(position) };
  }
}

function indexFor({ workflow, status, tag }: RunQuery): { suffix: KeySuffix; id: string } {
  if (tag !== undefined) return { suffix: 'byTag', id: tag };
  if (workflow !== undefined) return { suffix: 'byWorkflow', id: workflow };
  return { suffix: status === undefined || TERMINAL.has(status) ? 'runs' : 'active', id: '' };
}

function matches(view: RunView, { workflow, status, tag }: RunQuery): boolean {
  return (
    (status === undefined || view.status === status) &&
    (workflow === undefined || view.workflow === workflow) &&
    (tag === undefined || view.tags.includes(tag))
  );
}

/** The newest entries of all partitions behind `position`, ordered by creation, then id. */
async function newestBefore(
  { client, namespace, partitions }: ReadDependencies,
  suffix: KeySuffix,
  id: string,
  position: Entry | undefined,
  limit: number,
): Promise<Entry[]> {
  const highest = position === undefined ? '+inf' : String(position.createdAt);
  const lists = await Promise.all(
    allTags(namespace, partitions).map(async (tag) => {
      const key = stateKey(tag, suffix, id);
      const found: Entry[] = [];
      // Runs of one millisecond are ordered by id: those before the position within it are passed over, page by page.
      for (let offset = 0; found.length < limit; offset += limit) {
        const reply = await client.zrevrangebyscore(key, highest, '-inf', 'WITHSCORES', 'LIMIT', offset, limit);
        for (let index = 0; index < reply.length; index += 2) {
          const entry = { runId: reply[index]!, createdAt: Number(reply[index + 1]) };
          if (position === undefined || compareEntries(position, entry) < 0) found.push(entry);
        }
        if (reply.length < limit * 2) break;
      }
      return found;
    }),
  );
  return lists.flat().sort(compareEntries).slice(0, limit);
}

function compareEntries(a: Entry, b: Entry): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.runId < b.runId ? 1 : a.runId > b.runId ? -1 : 0;
}

function formatCursor({ runId, createdAt }: Entry): string {
  return Buffer.from(`${createdAt}|${runId}`).toString('base64url');
}

function parseCursor(cursor: string | undefined): Entry | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\|(.+)$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw invalidCursor();
  return { createdAt: Number(match[1]), runId: match[2]! };
}

export function invalidCursor(): FlotillaError {
  const message = 'the cursor is not one that a list answered with';
  return new FlotillaError('VALIDATION_FAILED', message, {
    problems: [{ code: 'CURSOR_INVALID', path: '/cursor', message }],
  });
}
