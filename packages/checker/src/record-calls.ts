import type { CancelReceipt, ProblemDocument, RunStarted, RunsStarted, StartRun } from '@flotilla/contracts';
import type { CancelCall, ClientCall, StartCall } from './recording.ts';

type Fetch = typeof globalThis.fetch;

/**
 * A `fetch` that keeps what was submitted and cancelled through it, each try by itself, and what was answered. Everything
 * else passes as it is. For `FleetApi`, or for a client by putting it in the place of `globalThis.fetch`.
 */
export function recordCalls(add: (call: ClientCall) => void, fetch: Fetch = globalThis.fetch): Fetch {
  return async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    const describe = init?.method === 'POST' ? recorded(pathname, init.body) : undefined;
    if (describe === undefined) return fetch(input, init);
    const startAt = Date.now();
    try {
      const response = await fetch(input, init);
      const body = (await response.clone().json()) as unknown;
      const outcome = { startAt, endAt: Date.now(), status: response.status };
      for (const call of describe(response.ok ? body : undefined)) {
        add({ ...call, ...outcome, ...(response.ok ? {} : { problem: body as Partial<ProblemDocument> }) });
      }
      return response;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      for (const call of describe(undefined)) add({ ...call, startAt, endAt: Date.now(), error: text });
      throw error;
    }
  };
}

type Timeless = Omit<StartCall, 'startAt' | 'endAt'> | Omit<CancelCall, 'startAt' | 'endAt'>;

/** What a request asks for, given the body of a good answer or none; undefined when it is not to be recorded. */
function recorded(path: string, body: unknown): ((answer: unknown) => Timeless[]) | undefined {
  const cancelled = /^\/v1\/runs\/([^/]+)\/cancel$/.exec(path)?.[1];
  if (cancelled !== undefined) {
    const runId = decodeURIComponent(cancelled);
    return (answer) => [
      answer === undefined ? { kind: 'cancel', runId } : { kind: 'cancel', runId, answer: answer as CancelReceipt },
    ];
  }
  if ((path !== '/v1/runs' && path !== '/v1/runs/batch') || typeof body !== 'string') return undefined;
  const sent = parse(body);
  if (sent === undefined) return undefined;
  if (path === '/v1/runs') return (answer) => [started(sent as StartRun, answer as RunStarted | undefined)];
  const { runs = [] } = sent as { runs?: StartRun[] };
  return (answer) => {
    const answers = (answer as RunsStarted | undefined)?.runs ?? [];
    return runs.map((request, index) => {
      const own = answers[index];
      if (own !== undefined && 'error' in own) return { ...started(request, undefined), problem: own.error };
      return started(request, own);
    });
  };
}

function started(request: StartRun, answer: RunStarted | undefined): Timeless {
  return answer === undefined ? { kind: 'start', request } : { kind: 'start', request, answer };
}

/** Undefined for a body that is no JSON: tests of bad input send those. */
function parse(body: string): object | undefined {
  try {
    const value = JSON.parse(body) as unknown;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
