import type { BulkItemList, BulkStarted, BulkView, startBulkZ } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { BulkJobs, State } from '@flotilla/state';
import type { z } from 'zod';
import { selectRuns } from './select-runs.ts';

/** What the HTTP edge needs of bulk jobs. */
export interface BulkApi {
  /** Counts, and unless it is a dry run keeps the job. BULK_TOO_LARGE. */
  start(request: z.output<typeof startBulkZ>): Promise<BulkStarted>;
  list(): Promise<BulkView[]>;
  /** BULK_NOT_FOUND. */
  read(bulkId: string): Promise<BulkView>;
  /** BULK_NOT_FOUND. */
  listItems(bulkId: string, page: { cursor?: string; limit: number }): Promise<BulkItemList>;
  /** BULK_NOT_FOUND. */
  abort(bulkId: string): Promise<BulkView>;
}

interface BulkDependencies {
  state: Pick<State<Plan>, 'listRuns' | 'readRun'>;
  jobs: BulkJobs;
  /** Jobs are kept as long as ended runs. */
  retentionMs: number;
  /** A job has been made. */
  onStart: () => void;
}

/** Runs that a preview names. */
const MAX_SAMPLE = 20;

export function createBulkApi({ state, jobs, retentionMs, onStart }: BulkDependencies): BulkApi {
  return {
    start: async ({ dryRun, ids, ...spec }) => {
      const targets = await selectRuns(state, { ...spec, ids });
      const count = targets.length;
      if (dryRun) return { count, sample: targets.slice(0, MAX_SAMPLE).map(({ runId }) => runId) };
      if (count === 0) return { count };
      const bulkId = await jobs.open(spec, targets, retentionMs);
      onStart();
      return { bulkId, count };
    },
    list: () => jobs.list(),
    read: (bulkId) => jobs.read(bulkId),
    listItems: (bulkId, page) => jobs.listItems(bulkId, page),
    abort: (bulkId) => jobs.abort(bulkId),
  };
}
