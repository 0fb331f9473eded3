import type { ErrorGroup, ErrorGroupAction, ErrorGroupList, ErrorGroupState } from '@flotilla/contracts';
import type { CallOptions } from './client-options.ts';
import { queryText } from './paths.ts';
import type { Transport } from './transport.ts';

export interface ListErrorsOptions extends CallOptions {
  state?: ErrorGroupState;
  cursor?: string;
  /** 1 to 500; default 50. */
  limit?: number;
}

export interface ErrorGroupCalls {
  /** One page of the groups of errors, the one that occurred last first. */
  errors(options?: ListErrorsOptions): Promise<ErrorGroupList>;
  /** Resolves, ignores or reopens a group. ERROR_GROUP_NOT_FOUND. */
  decideError(fingerprint: string, action: ErrorGroupAction, options?: CallOptions): Promise<ErrorGroup>;
}

export function errorGroupCalls(transport: Transport): ErrorGroupCalls {
  return {
    errors: ({ state, cursor, limit, ...call } = {}) =>
      transport.get(`/v1/errors${queryText({ state, cursor, limit })}`, call),
    decideError: (fingerprint, action, call) =>
      transport.post(`/v1/errors/${encodeURIComponent(fingerprint)}/${action}`, undefined, call),
  };
}
