import type { AgentList, BreakerView } from '@flotilla/contracts';
import type { FleetApi } from '@flotilla/local-fleet';
import type { AgentSighting, BreakerSighting } from './recording.ts';

const LOOK_MS = 500;
const ANSWER_MS = 1000;

type Api = Pick<FleetApi, 'request'>;
interface Watch {
  stop: () => Promise<void>;
}

/** Looks twice a second as what the agents are shown, until it is told to stop. */
export function watchAgents(api: Api, seen: (sighting: AgentSighting) => void): Watch {
  return watch<AgentList>(api, '/v1/agents', (at, { agents }) =>
    seen({ at, agents: Object.fromEntries(agents.map(({ agentId, status }) => [agentId, status])) }),
  );
}

/** The same of the breakers. */
export function watchBreakers(api: Api, seen: (sighting: BreakerSighting) => void): Watch {
  return watch<{ breakers: BreakerView[] }>(api, '/v1/breakers', (at, { breakers }) =>
    seen({ at, breakers: breakers.map(({ name, state, since, parked }) => ({ name, state, since, parked })) }),
  );
}

/** What no scheduler answers in time is not a sighting. */
function watch<Body>(api: Api, path: string, seen: (at: number, body: Body) => void): Watch {
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const at = Date.now();
      const options = { timeoutMs: ANSWER_MS, repeat: false };
      const answer = await api.request<Body>('GET', path, undefined, options).catch(() => undefined);
      if (answer?.status === 200) seen(at, answer.body);
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
