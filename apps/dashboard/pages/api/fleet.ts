import type {
  AgentEventList,
  AgentList,
  BreakerList,
  BulkItemList,
  BulkList,
  BulkView,
  DeadLetterList,
  ErrorGroupList,
  Report,
  WorkflowView,
} from '@flotilla/contracts';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { ApiProblem, part, type Query, readApi } from './call-api.ts';
import { readRuns, usePollMs } from './runs.ts';

const PAGE = 100;

/** A resource that is read again and again; one that this scheduler does not have (404) is not. */
function useLive<Answer>(key: readonly unknown[], path: string, query: Query = {}, isEnabled = true) {
  const pollMs = usePollMs();
  return useQuery({
    queryKey: key,
    enabled: isEnabled,
    queryFn: ({ signal }) => readApi<Answer>(path, query, signal),
    refetchInterval: ({ state }) => (isAbsent(state.error) ? false : pollMs),
    retry: (failures, error) => !isAbsent(error) && failures < 1,
  });
}

export function isAbsent(error: unknown): boolean {
  return error instanceof ApiProblem && error.code === 'ROUTE_NOT_FOUND';
}

export const useAgents = () => useLive<AgentList>(['agents'], '/v1/agents');
export const useAgentEvents = () => useLive<AgentEventList>(['agent-events'], '/v1/agents/events', { limit: 100 });
export const useBreakers = () => useLive<BreakerList>(['breakers'], '/v1/breakers');
export const useReport = () => useLive<Report>(['report'], '/v1/report');
export const useBulks = () => useLive<BulkList>(['bulks'], '/v1/bulk');
export const useBulk = (id: string) => useLive<BulkView>(['bulk', id], `/v1/bulk/${part(id)}`);
export const useBulkItems = (id: string) => useLive<BulkItemList>(['bulk-items', id], `/v1/bulk/${part(id)}/items`);

/** How many runs there are by status and by reason for waiting. */
export function useCounts() {
  const pollMs = usePollMs();
  return useQuery({
    queryKey: ['counts'],
    queryFn: ({ signal }) => readRuns({ limit: 1 }, signal),
    refetchInterval: pollMs,
  });
}

export const useErrors = (state?: string) => useLive<ErrorGroupList>(['errors', state], '/v1/errors', { state });

interface WorkflowList {
  workflows: WorkflowView[];
  cursor?: string;
}

export interface FlagList {
  flags: { name: string; scope: string; percent: number; description: string }[];
}
export const useFlags = () => useLive<FlagList>(['flags'], '/v1/flags');

export function useDeadLetters(filter: Query) {
  const pollMs = usePollMs();
  return useInfiniteQuery({
    queryKey: ['dead-letters', filter],
    queryFn: ({ pageParam, signal }) =>
      readApi<DeadLetterList>('/v1/dead-letters', { ...filter, limit: PAGE, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.cursor,
    refetchInterval: pollMs * 2,
  });
}

export function useWorkflows() {
  return useQuery({
    queryKey: ['workflows'],
    queryFn: async ({ signal }) => {
      const workflows: WorkflowView[] = [];
      let cursor: string | undefined;
      do {
        const page = await readApi<WorkflowList>('/v1/workflows', { limit: 500, cursor }, signal);
        workflows.push(...page.workflows);
        cursor = page.cursor;
      } while (cursor !== undefined && workflows.length < 5000);
      return workflows;
    },
    refetchInterval: 15_000,
  });
}

export function useWorkflow(name: string, version?: string) {
  return useQuery({
    queryKey: ['workflow', name, version],
    enabled: name !== '',
    queryFn: ({ signal }) => readApi<WorkflowView>(`/v1/workflows/${part(name)}`, { version }, signal),
  });
}
