import type { AgentList } from '@flotilla/contracts';
import type { FleetApi } from '../fleet-api.ts';
import type { AgentSighting } from './recording.ts';

const LOOK_MS = 500;
const ANSWER_MS = 1000;

/**
 * Looks twice a second as what the agents are shown, until it is told to stop. What no scheduler answers in time is not a
 * sighting.
 */
export function watchAgents(
  api: Pick<FleetApi, 'request'>,
  seen: (sighting: AgentSighting) => void,
): { stop: () => Promise<void> } {
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const sighting = await lookOnce(api);
      if (sighting !== undefined) seen(sighting);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  })();
  return {
    stop: async () => {
      over.abort();
      await watching;
    },
  };
}

async function lookOnce(api: Pick<FleetApi, 'request'>): Promise<AgentSighting | undefined> {
  const at = Date.now();
  const path = '/v1/agents';
  const options = { timeoutMs: ANSWER_MS, repeat: false };
  const answer = await api.request<AgentList>('GET', path, undefined, options).catch(() => undefined);
  if (answer?.status !== 200) return undefined;
  return { at, agents: Object.fromEntries(answer.body.agents.map(({ agentId, status }) => [agentId, status])) };
}
