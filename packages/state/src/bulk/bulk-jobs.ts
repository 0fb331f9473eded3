import {
  type BulkAction,
  type BulkFilter,
  type BulkItem,
  type BulkItemList,
  type BulkView,
  FlotillaError,
} from '@flotilla/contracts';
import { type RedisClient, runScript } from '@flotilla/redis';
import { bulkKeys, deploymentKeys } from '../keys.ts';
import { invalidCursor } from '../read-runs.ts';
import { randomToken } from '../run-id.ts';
import { ABORT_BULK, CLAIM_BULK, OPEN_BULK, RECORD_BULK } from './bulk-scripts.ts';

/** What somebody asked for. */
export interface BulkSpec {
  action: BulkAction;
  filter?: BulkFilter | undefined;
  reason?: string | undefined;
}

/** A run as it stood when the job was created: a retry of that opening happens once, however often it is tried. */
export interface BulkTarget {
  runId: string;
  opening: number;
}

/** What became of one run. */
export type BulkItemRecord = Pick<BulkItem, 'error'> & { outcome: 'done' | 'unchanged' | 'failed' };

/** The next runs of a job, for the scheduler that holds its lease. */
export interface BulkSlice {
  bulkId: string;
  spec: BulkSpec;
  createdAt: number;
  fence: string;
  targets: BulkTarget[];
}

const MAX_LISTED = 100;
const RUNS_A_PUSH = 1000;
/** A list of runs that no job was made of, because its maker died, goes away by itself. */
const UNOPENED_MS = 3_600_000;

/**
 * Actions on many runs, as jobs that any scheduler takes up where another left off. One works on a job at a time, under a
 * lease; a fence keeps the books right when that runs out under it.
 */
export class BulkJobs {
  readonly #client: RedisClient;
  readonly #namespace: string;

  constructor(client: RedisClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** Keeps the job; it is carried out from now on. `retentionMs`: how long it is kept after its end. */
  async open(spec: BulkSpec, targets: readonly BulkTarget[], retentionMs: number): Promise<string> {
    const bulkId = randomToken(16);
    const { job, runs } = bulkKeys(this.#namespace, bulkId);
    for (let first = 0; first < targets.length; first += RUNS_A_PUSH) {
      const texts = targets.slice(first, first + RUNS_A_PUSH).map(({ runId, opening }) => `${runId}|${opening}`);
      await this.#client.rpush(runs, ...texts);
      if (first === 0) await this.#client.pexpire(runs, UNOPENED_MS);
    }
    const { bulks, openBulks } = deploymentKeys(this.#namespace);
    const args = [bulkId, JSON.stringify(spec), targets.length, retentionMs];
    await runScript(this.#client, OPEN_BULK, [bulks, openBulks, job, runs], args);
    return bulkId;
  }

  /** Jobs that have not ended, the oldest first. */
  listOpen(): Promise<string[]> {
    return this.#client.zrange(deploymentKeys(this.#namespace).openBulks, '0', String(MAX_LISTED - 1));
  }

  /** Takes the next runs of a job; undefined when another scheduler works on it, or there is nothing left to do. */
  async claim(bulkId: string, by: { scheduler: string; leaseMs: number; limit: number }) {
    const args = [bulkId, by.scheduler, by.leaseMs, by.limit];
    const reply = await runScript<string[]>(this.#client, CLAIM_BULK, this.#keysOf(bulkId), args);
    const [fence, spec, createdAt, ...runs] = reply;
    if (fence === undefined || spec === undefined) return undefined;
    const slice: BulkSlice = {
      ...{ bulkId, fence, createdAt: Number(createdAt) },
      spec: JSON.parse(spec) as BulkSpec,
      targets: runs.map(parseTarget),
    };
    return slice;
  }

  /** Writes down what became of a slice. False: another scheduler has taken the job over, and does it again. */
  async record({ bulkId, fence }: BulkSlice, items: readonly BulkItemRecord[]): Promise<boolean> {
    const failed = items.filter(({ outcome }) => outcome === 'failed').length;
    const args = [bulkId, fence, items.length - failed, failed, ...items.map((item) => JSON.stringify(item))];
    return (await runScript<number>(this.#client, RECORD_BULK, this.#keysOf(bulkId), args)) === 1;
  }

  /** Stops a job; one that has ended stays as it is. BULK_NOT_FOUND. */
  async abort(bulkId: string): Promise<BulkView> {
    const known = await runScript<number>(this.#client, ABORT_BULK, this.#keysOf(bulkId), [bulkId]);
    if (known === 0) throw notFound(bulkId);
    return this.read(bulkId);
  }

  /** BULK_NOT_FOUND. */
  async read(bulkId: string): Promise<BulkView> {
    const view = parseJob(bulkId, await this.#client.hgetall(bulkKeys(this.#namespace, bulkId).job));
    if (view === undefined) throw notFound(bulkId);
    return view;
  }

  /** The newest hundred, the newest first. */
  async list(): Promise<BulkView[]> {
    const { bulks } = deploymentKeys(this.#namespace);
    const ids = await this.#client.zrevrange(bulks, 0, MAX_LISTED - 1);
    const read = ids.map(async (id) => parseJob(id, await this.#client.hgetall(bulkKeys(this.#namespace, id).job)));
    const views = await Promise.all(read);
    const gone = ids.filter((_, index) => views[index] === undefined);
    if (gone.length > 0) await this.#client.zrem(bulks, ...gone);
    return views.filter((view) => view !== undefined);
  }

  /** What became of each run, in the order in which they are taken. BULK_NOT_FOUND. */
  async listItems(bulkId: string, page: { cursor?: string; limit: number }): Promise<BulkItemList> {
    const { total } = await this.read(bulkId);
    const first = parseCursor(page.cursor);
    const last = first + page.limit - 1;
    const { runs, outcomes } = bulkKeys(this.#namespace, bulkId);
    const [targets, texts] = await Promise.all([
      this.#client.lrange(runs, first, last),
      this.#client.lrange(outcomes, first, last),
    ]);
    const items = targets.map((target, index): BulkItem => {
      const text = texts[index];
      const record = text === undefined ? undefined : (JSON.parse(text) as BulkItemRecord);
      return { runId: parseTarget(target).runId, ...(record ?? { outcome: 'not-tried' }) };
    });
    return last + 1 < total ? { items, cursor: String(last + 1) } : { items };
  }

  #keysOf(bulkId: string): string[] {
    const { job, runs, outcomes } = bulkKeys(this.#namespace, bulkId);
    return [deploymentKeys(this.#namespace).openBulks, job, runs, outcomes];
  }
}

function notFound(bulkId: string): FlotillaError {
  return new FlotillaError('BULK_NOT_FOUND', `there is no bulk job ${bulkId}`);
}

function parseTarget(text: string): BulkTarget {
  const bar = text.lastIndexOf('|');
  return { runId: text.slice(0, bar), opening: Number(text.slice(bar + 1)) };
}

function parseCursor(cursor = '0'): number {
  if (!/^\d{1,9}$/.test(cursor)) throw invalidCursor();
  return Number(cursor);
}

function parseJob(bulkId: string, fields: Readonly<Record<string, string>>): BulkView | undefined {
  const { spec, state, endedAt } = fields;
  if (spec === undefined || state === undefined) return undefined;
  const { action, filter, reason } = JSON.parse(spec) as BulkSpec;
  return {
    ...{ bulkId, action, state: state as BulkView['state'] },
    ...{ done: Number(fields['done']), failed: Number(fields['failed']), total: Number(fields['total']) },
    ...(filter !== undefined && { filter: filter as NonNullable<BulkView['filter']> }),
    ...(reason !== undefined && { reason }),
    createdAt: Number(fields['createdAt']),
    ...(endedAt !== undefined && { endedAt: Number(endedAt) }),
  };
}
