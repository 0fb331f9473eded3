import type { HistoryEvent, RunView } from '@flotilla/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { onRunChange } from '../api/live-feed.ts';
import { isLastPage, readHistoryPage, usePollMs } from '../api/runs.ts';
import { hasEnded } from '../states.ts';
import { emptyFold, type FoldedRun, foldEvents } from './fold-history.ts';

export interface RunHistory {
  events: readonly HistoryEvent[];
  folded: FoldedRun;
  /** Whether all that there was when the page was opened has been read. */
  isComplete: boolean;
  error: Error | undefined;
}

const AFTER_ERROR_MS = 2000;
/** Changes that come close together are shown together. */
const SHOW_EVERY_MS = 150;

/** Reads a run's history page by page and follows it while the run goes on; what changed in between is read then. */
export function useHistory({ runId, status, opening, endedAt }: RunView): RunHistory {
  const isActive = !hasEnded(status);
  const store = useRef({ events: [] as HistoryEvent[], folded: emptyFold() });
  const [shown, setShown] = useState({ version: 0, isComplete: false, error: undefined as Error | undefined });
  const pollMs = usePollMs();
  const queryClient = useQueryClient();
  useEffect(() => {
    const reader = new HistoryReader(runId, store.current, (isComplete, error) => {
      setShown(({ version }) => ({ version: version + 1, isComplete, error }));
    });
    store.current = reader.store;
    const stopListening = onRunChange(runId, () => {
      reader.readSoon();
      void queryClient.invalidateQueries({ queryKey: ['run', runId] });
    });
    reader.readSoon();
    return () => {
      stopListening();
      reader.stop();
    };
  }, [runId, queryClient]);
  // A run may have been retried and have ended again between two looks at it.
  const state = `${status} ${opening} ${endedAt}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: each state of the run has a history of its own
  useEffect(() => {
    window.dispatchEvent(new CustomEvent(`history:${runId}`));
  }, [runId, state]);
  useEffect(() => {
    if (!isActive) return;
    const timer = setInterval(() => window.dispatchEvent(new CustomEvent(`history:${runId}`)), pollMs / 2);
    return () => clearInterval(timer);
  }, [runId, isActive, pollMs]);
  return { events: store.current.events, folded: store.current.folded, ...shown };
}

type ShowHistory = (isComplete: boolean, error: Error | undefined) => void;

class HistoryReader {
  store: { events: HistoryEvent[]; folded: FoldedRun };
  readonly #runId: string;
  readonly #show: ShowHistory;
  readonly #abort = new AbortController();
  readonly #onPoll = () => this.readSoon();
  #isReading = false;
  #isWanted = false;
  #isComplete = false;
  #shownAt = 0;

  constructor(runId: string, store: HistoryReader['store'], show: ShowHistory) {
    this.#runId = runId;
    this.#show = show;
    this.store = store.events.length > 0 ? { events: [], folded: emptyFold() } : store;
    window.addEventListener(`history:${runId}`, this.#onPoll);
  }

  /** What is wanted while a page is being read is read behind it. */
  readSoon(): void {
    this.#isWanted = true;
    if (!this.#isReading) void this.#readAll();
  }

  stop(): void {
    this.#abort.abort();
    window.removeEventListener(`history:${this.#runId}`, this.#onPoll);
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#isWanted && !this.#abort.signal.aborted) {
        this.#isWanted = false;
        await this.#readPages();
      }
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#show(this.#isComplete, error as Error);
      setTimeout(() => this.readSoon(), AFTER_ERROR_MS);
    } finally {
      this.#isReading = false;
    }
  }

  async #readPages(): Promise<void> {
    for (;;) {
      const { folded } = this.store;
      const { events } = await readHistoryPage(this.#runId, folded.seq, this.#abort.signal);
      const fresh = events.filter(({ seq }) => seq > folded.seq);
      foldEvents(folded, fresh);
      for (const event of fresh) this.store.events.push(event);
      const isLast = isLastPage(events);
      const isFirstTime = isLast && !this.#isComplete;
      if (isLast) this.#isComplete = true;
      const isDue = performance.now() - this.#shownAt > SHOW_EVERY_MS;
      if (isFirstTime || (fresh.length > 0 && (isLast || isDue))) {
        this.#shownAt = performance.now();
        this.#show(this.#isComplete, undefined);
      }
      if (isLast) return;
    }
  }
}
