import type {
  CleanupList,
  HistoryEvent,
  HistoryPage,
  LogIndex,
  RunComparison,
  RunLedger,
  RunList,
  RunView,
  StepList,
  StepLogs,
  StepView,
  Why,
} from '@flotilla/contracts';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { hasEnded } from '../states.ts';
import { ApiProblem, part, type Query, readApi } from './call-api.ts';
import { useIsLive } from './live-feed.ts';

const POLL_MS = 2000;
/** While frames say what has changed, reading on a timer is for what they miss. */
const LIVE_POLL_MS = 10_000;
const PAGE = 100;
const STEP_PAGE = 500;
const HISTORY_PAGE = 1000;

/** How often to read again: seldom while the feed says what changes. */
export function usePollMs(): number {
  return useIsLive() ? LIVE_POLL_MS : POLL_MS;
}

/** A page of runs, the first with counts; without them where the scheduler does not count. */
export async function readRuns(query: Query, signal: AbortSignal): Promise<RunList> {
  const wantsCounts = query['cursor'] === undefined;
  try {
    return await readApi<RunList>('/v1/runs', wantsCounts ? { ...query, counts: true } : query, signal);
  } catch (error) {
    if (!wantsCounts || !(error instanceof ApiProblem) || error.status !== 400) throw error;
    return readApi<RunList>('/v1/runs', query, signal);
  }
}

export function useRunList(filter: Query) {
  const pollMs = usePollMs();
  return useInfiniteQuery({
    queryKey: ['runs', filter],
    queryFn: ({ pageParam, signal }) => readRuns({ ...filter, limit: PAGE, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.cursor,
    // Every page is read again: with many of them that would be dear.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) > 3 ? false : pollMs),
  });
}

export function useRun(runId: string) {
  const pollMs = usePollMs();
  return useQuery({
    queryKey: ['run', runId],
    queryFn: ({ signal }) => readApi<RunView>(`/v1/runs/${part(runId)}`, {}, signal),
    refetchInterval: (query) =>
      query.state.data !== undefined && hasEnded(query.state.data.status) ? false : pollMs / 2,
    retry: (failures, error) => !(error instanceof ApiProblem && error.status === 404) && failures < 2,
  });
}

const ITEM = /\[(\d+)\]$/;

/**
 * All steps of a run, read once: how they stand follows from the history. Items of maps are left out: there may be
 * thousands, and the history knows them, too.
 */
export function useSteps(runId: string, opening: number) {
  return useQuery({
    queryKey: ['steps', runId, opening],
    queryFn: async ({ signal }) => {
      const steps: StepView[] = [];
      let cursor: string | undefined;
      do {
        const path = `/v1/runs/${part(runId)}/steps`;
        const page = await readApi<StepList>(path, { limit: STEP_PAGE, cursor }, signal);
        steps.push(...page.steps.filter(({ stepId }) => !ITEM.test(stepId)));
        // A step's position in the definition is what the cursor names: what follows a map's items is asked for directly.
        cursor = page.cursor === undefined ? undefined : `${steps.length}.`;
      } while (cursor !== undefined);
      return steps;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** One step as it is now, with its output; of an item of a map that item. */
export function useStep(runId: string, position: number, stepId: string, version: number) {
  return useQuery({
    queryKey: ['step', runId, stepId, version],
    enabled: position >= 0,
    queryFn: async ({ signal }) => {
      const cursor = `${position}.${ITEM.exec(stepId)?.[1] ?? ''}`;
      const list = await readApi<StepList>(`/v1/runs/${part(runId)}/steps`, { limit: 1, cursor }, signal);
      return list.steps.find((step) => step.stepId === stepId) ?? null;
    },
    placeholderData: (before) => (before?.stepId === stepId ? before : undefined),
  });
}

export function readHistoryPage(runId: string, after: number, signal: AbortSignal): Promise<HistoryPage> {
  return readApi<HistoryPage>(`/v1/runs/${part(runId)}/history`, { after, limit: HISTORY_PAGE }, signal);
}

export function isLastPage(events: readonly HistoryEvent[]): boolean {
  return events.length < HISTORY_PAGE;
}

export function useWhy(runId: string, isActive: boolean, stepId?: string) {
  const pollMs = usePollMs();
  return useQuery({
    queryKey: ['why', runId, stepId],
    enabled: isActive,
    queryFn: ({ signal }) => readApi<Why>(`/v1/runs/${part(runId)}/why`, { stepId, limit: 50 }, signal),
    refetchInterval: Math.min(pollMs, 3000),
  });
}

export function useLedger(runId: string, isActive: boolean) {
  return useQuery({
    queryKey: ['ledger', runId],
    queryFn: ({ signal }) => readApi<RunLedger>(`/v1/runs/${part(runId)}/ledger`, {}, signal),
    refetchInterval: isActive ? 3000 : false,
    retry: false,
  });
}

export function useCleanups(runId: string, isActive: boolean) {
  return useQuery({
    queryKey: ['cleanups', runId],
    queryFn: ({ signal }) => readApi<CleanupList>(`/v1/runs/${part(runId)}/cleanups`, { limit: 500 }, signal),
    refetchInterval: isActive ? 3000 : false,
  });
}

export function useLogIndex(runId: string, isActive: boolean) {
  return useQuery({
    queryKey: ['log-index', runId],
    queryFn: ({ signal }) => readApi<LogIndex>(`/v1/runs/${part(runId)}/logs`, {}, signal),
    refetchInterval: isActive ? 3000 : false,
    retry: false,
  });
}

export function useStepLogs(runId: string, stepId: string, isActive: boolean) {
  return useQuery({
    queryKey: ['logs', runId, stepId],
    queryFn: ({ signal }) =>
      readApi<StepLogs>(`/v1/runs/${part(runId)}/steps/${part(stepId)}/logs`, { limit: 1000 }, signal),
    refetchInterval: isActive ? 2000 : false,
    retry: false,
  });
}

export function useComparison(runId: string, other: string) {
  return useQuery({
    queryKey: ['compare', runId, other],
    enabled: other !== '',
    queryFn: ({ signal }) => readApi<RunComparison>(`/v1/runs/${part(runId)}/compare/${part(other)}`, {}, signal),
    retry: false,
  });
}
