import {
  type HistoryEvent,
  type HistoryPage,
  isFlotillaError,
  isTerminalRunStatus,
  type RunView,
} from '@flotilla/contracts';
import { isWorthRetrying } from './answer-errors.ts';
import { nowMs, pause } from './deadline.ts';
import { readEventStream } from './event-stream.ts';
import { runPath } from './paths.ts';
import type { Transport } from './transport.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;
/** The iteration fails when nothing has been heard for this long. */
const SILENCE_LIMIT_MS = 120_000;
const PAGE = 500;

export interface FollowOptions {
  /** Events with a greater `seq`. Default -1: from the start. */
  after?: number;
  /** Ends the iteration without an error. */
  signal?: AbortSignal;
}

/**
 * The history of a run as it grows, each event once and in order, until the run has ended. Reconnects where it broke
 * off; where no stream gets through, pages are polled.
 */
export async function* followEvents(
  transport: Transport,
  runId: string,
  options: FollowOptions = {},
): AsyncGenerator<HistoryEvent> {
  const signal = options.signal ?? new AbortController().signal;
  let after = options.after ?? -1;
  let heardAt = nowMs();
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      for await (const message of readEventStream(transport, eventsPath(runId, after), streamOptions(signal, after))) {
        heardAt = nowMs();
        pauseMs = FIRST_PAUSE_MS;
        if (message.event === 'end') return;
        const event = JSON.parse(message.data) as HistoryEvent;
        if (event.seq <= after) continue;
        after = event.seq;
        yield event;
      }
    } catch (error) {
      if (!isFlotillaError(error) || !isWorthRetrying(error)) throw error;
      if (nowMs() - heardAt > SILENCE_LIMIT_MS) throw error;
    }
    // The stream broke off or never opened: one look without it.
    const page = await pollOnce(transport, runId, after, signal);
    if (page !== undefined) {
      heardAt = nowMs();
      for (const event of page.events) {
        after = event.seq;
        yield event;
      }
      if (page.ended) return;
      if (page.events.length >= PAGE) continue;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

function eventsPath(runId: string, after: number): string {
  return `${runPath(runId)}/events${after >= 0 ? `?after=${after}` : ''}`;
}

function streamOptions(signal: AbortSignal, after: number): { signal: AbortSignal; lastEventId?: string } {
  return { signal, ...(after >= 0 && { lastEventId: String(after) }) };
}

interface PolledPage {
  events: HistoryEvent[];
  ended: boolean;
}

/** Undefined when the server cannot be asked now. RUN_NOT_FOUND and refusals for good are thrown. */
async function pollOnce(
  transport: Transport,
  runId: string,
  after: number,
  signal: AbortSignal,
): Promise<PolledPage | undefined> {
  try {
    // The status first: a history read after it has everything up to that status.
    const run = await transport.get<RunView>(runPath(runId), { signal });
    const path = `${runPath(runId)}/history?after=${after}&limit=${PAGE}`;
    const { events } = await transport.get<HistoryPage>(path, { signal });
    return { events, ended: isTerminalRunStatus(run.status) && events.length < PAGE };
  } catch (error) {
    if (isFlotillaError(error) && (isWorthRetrying(error) || error.code === 'CALL_ABORTED')) return undefined;
    throw error;
  }
}
