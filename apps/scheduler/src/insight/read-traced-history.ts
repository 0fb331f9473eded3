import type { HistoryEvent } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';

/** An attempt that its worker could not tell of: it died. */
interface UntoldAttempt {
  stepId: string;
  attemptId: string;
  attempt: number;
  agentId: string;
  isCleanup: boolean;
  startedAt: number;
  endedAt: number;
  /** `lost`; of one that had ended shortly before, how it ended. */
  outcome: string;
}

/** What a run's history has for its trace, of its last opening. */
export interface TracedHistory {
  /** Of the run itself: paused, resumed, asked to be cancelled. */
  events: readonly { name: string; at: number }[];
  untold: readonly UntoldAttempt[];
  /** Of a run that was opened again. */
  openedAt: number | undefined;
}

export const NOTHING_TO_TELL: TracedHistory = { events: [], untold: [], openedAt: undefined };

const PAGE = 1000;
/** Of longer histories only the beginning is told: 50,000 events take about a second. */
const MAX_PAGES = 50;
/** What a span may have. */
const MAX_EVENTS = 100;
/** A lease, and what an exporter keeps back: such an attempt may be told twice, by spans with the same id. */
const MAX_UNSENT_MS = 30_000;
/** Looked back at, when a worker is lost. */
const MAX_ENDED = 1000;
const MILESTONES: ReadonlySet<string> = new Set(['run-paused', 'run-resumed', 'cancel-requested']);

/** RUN_NOT_FOUND, DATA_CORRUPTION. */
export async function readTracedHistory(
  state: Pick<State<Plan>, 'readHistory'>,
  runId: string,
): Promise<TracedHistory> {
  const fold = new HistoryFold();
  let after = -1;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { events, next } = await state.readHistory(runId, { after, limit: PAGE });
    for (const event of events) fold.add(event);
    if (events.length < PAGE) break;
    after = next;
  }
  return fold;
}

class HistoryFold implements TracedHistory {
  events: { name: string; at: number }[] = [];
  untold: UntoldAttempt[] = [];
  openedAt: number | undefined;
  /** By attempt id, of attempts that are under way. */
  readonly #started = new Map<string, HistoryEvent>();
  #ended: UntoldAttempt[] = [];

  add(event: HistoryEvent): void {
    const { type, at, attemptId } = event;
    if (type === 'run-retried') {
      // What came before was told when that opening ended.
      this.events = [];
      this.untold = [];
      this.#ended = [];
      this.openedAt = at;
    } else if (MILESTONES.has(type) && this.events.length < MAX_EVENTS) this.events.push({ name: type, at });
    if (attemptId === undefined) return;
    if (type === 'attempt-started' || type === 'cleanup-started') this.#started.set(attemptId, event);
    else this.#end(type, at, attemptId);
  }

  #end(type: string, endedAt: number, attemptId: string): void {
    const started = this.#started.get(attemptId);
    const outcome = /^(?:attempt|cleanup)-(succeeded|failed|timed-out|cancelled|released|parked|lost)$/.exec(type)?.[1];
    if (started === undefined || outcome === undefined) return;
    this.#started.delete(attemptId);
    const { at: startedAt, stepId = '', attempt = 1, worker: agentId = '' } = started;
    const isCleanup = type.startsWith('cleanup');
    const ended = { stepId, attemptId, attempt, agentId, isCleanup, startedAt, endedAt, outcome };
    if (outcome === 'lost') {
      // What it had not sent yet died with it.
      const unsent = this.#ended.filter((one) => one.agentId === agentId && one.endedAt > endedAt - MAX_UNSENT_MS);
      this.#ended = this.#ended.filter((one) => !unsent.includes(one));
      this.untold.push(...unsent, ended);
    } else {
      this.#ended.push(ended);
      if (this.#ended.length > MAX_ENDED) this.#ended.shift();
    }
  }
}
