import type {
  BulkDeadLetters,
  BulkDeadLettersDone,
  DeadLetterDetail,
  DeadLetterDiscarded,
  DeadLetterFilter,
  DeadLetterList,
  DeadLetterRedriven,
  DeadLetterView,
} from '@flotilla/contracts';
import { type CallOptions, callOf } from './client-options.ts';
import { queryText, runPath } from './paths.ts';
import type { Transport } from './transport.ts';

export interface ListDeadLettersOptions extends CallOptions, DeadLetterFilter {
  cursor?: string;
  /** 1 to 500; default 50. */
  limit?: number;
}

export interface DeadLetterOptions extends CallOptions {
  /** `opening` of the letter that is meant: what failed anew since is left alone. Default: the letter as it stands now. */
  opening?: number;
}

export interface RedriveOptions extends DeadLetterOptions {
  /** Only say what it would do: `plan`. */
  dryRun?: boolean;
}

export interface DeadLetterCalls {
  /** One page, the newest first. */
  deadLetters(options?: ListDeadLettersOptions): Promise<DeadLetterList>;
  /** All of them, page after page. */
  allDeadLetters(options?: ListDeadLettersOptions): AsyncGenerator<DeadLetterView>;
  /** DEAD_LETTER_NOT_FOUND, RUN_NOT_FOUND, STEP_NOT_FOUND. */
  deadLetter(runId: string, stepId: string, options?: CallOptions): Promise<DeadLetterDetail>;
  /** Opens the run again from this step. Twice is harmless: `already-redriven`. The same errors, and RUN_STILL_ACTIVE. */
  redriveDeadLetter(runId: string, stepId: string, options?: RedriveOptions): Promise<DeadLetterRedriven>;
  /** Takes it off the list; the run stays as it ended. The same errors. */
  discardDeadLetter(runId: string, stepId: string, options?: DeadLetterOptions): Promise<DeadLetterDiscarded>;
  /**
   * The oldest that fit, at most `limit`, 50 runs a second. Never tried twice by itself: a second try would take up the next
   * ones. After an ambiguous error asking again is safe.
   */
  redriveDeadLetters(filter: BulkDeadLetters, options?: CallOptions): Promise<BulkDeadLettersDone>;
  discardDeadLetters(filter: BulkDeadLetters, options?: CallOptions): Promise<BulkDeadLettersDone>;
}

const DEFAULT_BULK_LIMIT = 100;
/** What a letter may take of the scheduler's time, on top of the call's own: twice the pace of a bulk redrive. */
const MS_A_LETTER = 40;

export function deadLetterCalls(transport: Transport): DeadLetterCalls {
  const page = ({ deadlineMs, signal, ...query }: ListDeadLettersOptions = {}): Promise<DeadLetterList> =>
    transport.get(`/v1/dead-letters${queryText(query)}`, callOf(deadlineMs, signal));
  const act = async <Answer>(
    what: 'redrive' | 'discard',
    runId: string,
    stepId: string,
    options: RedriveOptions = {},
  ) => {
    const { opening, dryRun, ...call } = options;
    // A second try after a lost answer must not take up what failed anew since.
    const seen = opening ?? (await openingOf(transport, runId, call));
    return transport.post<Answer>(
      `${pathOf(runId, stepId)}/${what}`,
      { opening: seen, ...(dryRun === undefined ? {} : { dryRun }) },
      call,
    );
  };
  const bulk = async (what: 'redrive' | 'discard', body: BulkDeadLetters, options: CallOptions = {}) => {
    const { deadlineMs = transport.settings.deadlineMs, ...call } = options;
    const { value } = await transport.call<BulkDeadLettersDone>({
      ...call,
      method: 'POST',
      path: `/v1/dead-letters/${what}`,
      body: JSON.stringify(body),
      deadlineMs: deadlineMs + (body.limit ?? DEFAULT_BULK_LIMIT) * MS_A_LETTER,
      maxAttempts: 1,
    });
    return value;
  };
  return {
    deadLetters: page,
    async *allDeadLetters(options = {}) {
      let { cursor } = options;
      do {
        const { deadLetters, cursor: next } = await page({ ...options, ...(cursor !== undefined && { cursor }) });
        yield* deadLetters;
        cursor = next;
      } while (cursor !== undefined);
    },
    deadLetter: (runId, stepId, call) => transport.get(pathOf(runId, stepId), call),
    redriveDeadLetter: (runId, stepId, options) => act('redrive', runId, stepId, options),
    discardDeadLetter: (runId, stepId, options) => act('discard', runId, stepId, options),
    redriveDeadLetters: (filter, call) => bulk('redrive', filter, call),
    discardDeadLetters: (filter, call) => bulk('discard', filter, call),
  };
}

function pathOf(runId: string, stepId: string): string {
  return `/v1/dead-letters/${encodeURIComponent(runId)}/${encodeURIComponent(stepId)}`;
}

async function openingOf(transport: Transport, runId: string, call: CallOptions): Promise<number> {
  const { opening = 1 } = await transport.get<{ opening?: number }>(runPath(runId), call);
  return opening;
}
