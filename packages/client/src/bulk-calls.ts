import type { BulkItemList, BulkList, BulkStarted, BulkView, StartBulk } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { queryText } from './paths.ts';
import type { Transport } from './transport.ts';

export interface BulkItemsOptions extends CallOptions {
  cursor?: string;
  /** 1 to 500; default 50. */
  limit?: number;
}

export interface BulkCalls {
  /**
   * An action on many runs, as a job that goes on by itself; with `dryRun` it is only counted. Never tried twice by itself:
   * a second try would be a second job. BULK_TOO_LARGE.
   */
  startBulk(request: StartBulk, options?: CallOptions): Promise<BulkStarted>;
  /** The newest hundred jobs, the newest first. */
  bulkJobs(options?: CallOptions): Promise<BulkView[]>;
  /** BULK_NOT_FOUND. */
  bulkJob(bulkId: string, options?: CallOptions): Promise<BulkView>;
  /** One page of what became of each run. BULK_NOT_FOUND. */
  bulkItems(bulkId: string, options?: BulkItemsOptions): Promise<BulkItemList>;
  /** No further run is touched. BULK_NOT_FOUND. */
  abortBulk(bulkId: string, options?: CallOptions): Promise<BulkView>;
}

export function bulkCalls(transport: Transport): BulkCalls {
  const pathOf = (bulkId: string) => `/v1/bulk/${encodeURIComponent(bulkId)}`;
  return {
    startBulk: async (request, call = {}) => {
      const body = JSON.stringify(request);
      return (await transport.call<BulkStarted>({ ...call, method: 'POST', path: '/v1/bulk', body, maxAttempts: 1 }))
        .value;
    },
    bulkJobs: async (call) => (await transport.get<BulkList>('/v1/bulk', call)).bulks,
    bulkJob: (bulkId, call) => transport.get(pathOf(bulkId), call),
    bulkItems: (bulkId, { cursor, limit, ...call } = {}) =>
      transport.get(`${pathOf(bulkId)}/items${queryText({ cursor, limit })}`, call),
    abortBulk: (bulkId, call) => transport.post(`${pathOf(bulkId)}/abort`, undefined, call),
  };
}
