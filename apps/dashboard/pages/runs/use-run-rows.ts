import type { RunCounts, RunList, RunsFrame, RunView } from '@flotilla/contracts';
import { type InfiniteData, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Query } from '../api/call-api.ts';
import { onFeed } from '../api/live-feed.ts';
import { useRunList } from '../api/runs.ts';

export interface RunRows {
  rows: readonly RunView[];
  /** Runs that came since the list was opened, behind the bar that shows them. */
  fresh: number;
  showFresh: () => void;
  counts: RunCounts | undefined;
  hasMore: boolean;
  isLoading: boolean;
  error: Error | null;
  loadMore: () => void;
}

/** Reading again waits this long after a change, so that many changes are one reading. */
const GATHER_MS = 250;

/** The list of runs: cells change in place, new runs wait behind a bar, so that nothing moves under the pointer. */
export function useRunRows(query: Query): RunRows {
  const list = useRunList(query);
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const all = useMemo(() => data?.pages.flatMap((page) => page.runs) ?? [], [data]);
  const name = JSON.stringify(query);
  const [limit, setLimit] = useState<{ name: string; createdAt: number }>();
  const newest = all[0]?.createdAt;
  useEffect(() => {
    if (newest !== undefined && limit?.name !== name) setLimit({ name, createdAt: newest });
  }, [newest, name, limit]);
  const bound = limit?.name === name ? limit.createdAt : Number.POSITIVE_INFINITY;
  const rows = useMemo(() => all.filter(({ createdAt }) => createdAt <= bound), [all, bound]);
  usePatchedRows(query);
  return {
    rows,
    fresh: all.length - rows.length,
    showFresh: () => setLimit({ name, createdAt: newest ?? 0 }),
    counts: data?.pages[0]?.counts,
    hasMore: hasNextPage,
    isLoading: list.isPending,
    error: list.error,
    loadMore: () => {
      if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
    },
  };
}

/** Applies what the feed says of runs that are in the list; anything else makes it read the list again. */
function usePatchedRows(query: Query): void {
  const queryClient = useQueryClient();
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const key = ['runs', query];
    const readAgain = () => {
      waiting.current ??= setTimeout(() => {
        waiting.current = undefined;
        void queryClient.invalidateQueries({ queryKey: key });
      }, GATHER_MS);
    };
    const stop = onFeed((topic, frame) => {
      if (topic === 'resync') readAgain();
      if (topic !== 'runs') return;
      const { changes } = frame as RunsFrame;
      const byId = new Map(changes.map((change) => [change.runId, change]));
      queryClient.setQueryData<InfiniteData<RunList>>(key, (data) => data && patch(data, byId));
      readAgain();
    });
    return () => {
      stop();
      clearTimeout(waiting.current);
      waiting.current = undefined;
    };
  }, [query, queryClient]);
}

function patch(
  data: InfiniteData<RunList>,
  changes: ReadonlyMap<string, RunsFrame['changes'][number]>,
): InfiniteData<RunList> {
  const pages = data.pages.map((page) => ({
    ...page,
    runs: page.runs.map((run) => {
      const { status, endedAt, waiting } = changes.get(run.runId) ?? {};
      if (status === undefined) return run;
      return {
        ...run,
        status,
        ...(endedAt === undefined ? {} : { endedAt }),
        ...(waiting === undefined ? {} : { waiting }),
      };
    }),
  }));
  return { ...data, pages };
}
