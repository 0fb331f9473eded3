import type { Scope } from '@flotilla/contracts';
import { useQuery } from '@tanstack/react-query';
import { readApi } from './call-api.ts';

export interface Session {
  loggedIn: boolean;
  /** The scheduler asks for a key and this browser has given none. */
  needsKey: boolean;
  scopes: Scope[];
}

export function useSession() {
  return useQuery({
    queryKey: ['session'],
    queryFn: ({ signal }) => readApi<Session>('/session', {}, signal),
    staleTime: 30_000,
    refetchInterval: (query) => (query.state.status === 'error' ? 2000 : false),
  });
}

/** Whether the key of this browser has a scope; false until that is known. */
export function useScope(scope: Scope): boolean {
  return useSession().data?.scopes.includes(scope) ?? false;
}
