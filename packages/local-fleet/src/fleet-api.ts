import type { AgentView, HistoryEvent, ProblemDocument, RunStarted, RunView, StepView } from '@flotilla/contracts';
import { eventually } from './eventually.ts';
import { startStopwatch } from './machine-time.ts';

/** What the HTTP API tells of a run. */
export interface RunRecord {
  run: RunView;
  steps: readonly StepView[];
  events: readonly HistoryEvent[];
}

export interface ApiAnswer<Body> {
  status: number;
  headers: Headers;
  body: Body;
  tookMs: number;
}

export interface RequestOptions {
  /** Machine time. Default 15000. */
  timeoutMs?: number;
  /** False: one try at one scheduler. Default: repeated until `timeoutMs` while no scheduler answers, or one answers 503 or 504. */
  repeat?: boolean;
  headers?: Readonly<Record<string, string>>;
}

const REQUEST_MS = 5000;
const AFTER_FAILURE_MS = 100;

/**
 * Talks HTTP to whichever scheduler of a fleet answers. Deliberately plain: it shares no code with the client package, so
 * that it can judge it. A repeated start is only safe with a run id or an idempotency key.
 */
export class FleetApi {
  readonly #urls: () => readonly string[];
  readonly #fetch: typeof globalThis.fetch;
  #next = 0;

  /** `urls`: the schedulers that run now. */
  constructor(urls: () => readonly string[], fetch: typeof globalThis.fetch = globalThis.fetch) {
    this.#urls = urls;
    this.#fetch = fetch;
  }

  async request<Body = unknown>(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    { timeoutMs = 15_000, repeat = true, headers = {} }: RequestOptions = {},
  ): Promise<ApiAnswer<Body>> {
    const machineMs = startStopwatch();
    for (;;) {
      const leftMs = timeoutMs - machineMs();
      const answer = await this.#tryOnce<Body>(
        { method, path, body, headers },
        repeat ? Math.min(REQUEST_MS, leftMs) : leftMs,
      );
      const failed = answer instanceof Error || answer.status === 503 || answer.status === 504;
      const mayRepeat = repeat && machineMs() + AFTER_FAILURE_MS < timeoutMs;
      if (!failed || !mayRepeat) {
        if (answer instanceof Error) throw answer;
        return answer;
      }
      this.#next += 1;
      await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE_MS));
    }
  }

  /** Starts a run and gives the answer; throws unless it was accepted. */
  async start(submission: object, options?: RequestOptions): Promise<RunStarted> {
    const answer = await this.request<RunStarted>('POST', '/v1/runs', submission, options);
    if (answer.status !== 200 && answer.status !== 201) throw refusal('POST /v1/runs', answer);
    return answer.body;
  }

  /** Starts a run of a definition and waits until it has ended. */
  async runToEnd(submission: object, timeoutMs = 30_000): Promise<RunRecord> {
    const { runId } = await this.start(submission);
    await this.waitForEnd([runId], { timeoutMs });
    return this.record(runId);
  }

  async get<Body>(path: string, options?: RequestOptions): Promise<Body> {
    const answer = await this.request<Body>('GET', path, undefined, options);
    if (answer.status !== 200) throw refusal(`GET ${path}`, answer);
    return answer.body;
  }

  async post<Body>(path: string, body?: unknown, options?: RequestOptions): Promise<Body> {
    const answer = await this.request<Body>('POST', path, body, options);
    if (answer.status !== 200) throw refusal(`POST ${path}`, answer);
    return answer.body;
  }

  run(runId: string): Promise<RunView> {
    return this.get(`/v1/runs/${runId}`);
  }

  async agents(): Promise<readonly AgentView[]> {
    return (await this.get<{ agents: AgentView[] }>('/v1/agents')).agents;
  }

  /** All steps of a run, page after page. */
  async steps(runId: string): Promise<readonly StepView[]> {
    const steps: StepView[] = [];
    let cursor: string | undefined;
    do {
      const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await this.get<{ steps: StepView[]; cursor?: string }>(`/v1/runs/${runId}/steps?limit=500${from}`);
      steps.push(...page.steps);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return steps;
  }

  /** The whole history of a run, page after page. */
  async history(runId: string): Promise<readonly HistoryEvent[]> {
    const limit = 1000;
    const events: HistoryEvent[] = [];
    for (let after = -1; ; ) {
      const page = await this.get<{ events: HistoryEvent[]; next: number }>(
        `/v1/runs/${runId}/history?after=${after}&limit=${limit}`,
      );
      events.push(...page.events);
      if (page.events.length < limit) return events;
      after = page.next;
    }
  }

  async record(runId: string): Promise<RunRecord> {
    const [run, steps, events] = await Promise.all([this.run(runId), this.steps(runId), this.history(runId)]);
    return { run, steps, events };
  }

  records(runIds: readonly string[]): Promise<RunRecord[]> {
    return mapInTurn(runIds, 8, (runId) => this.record(runId));
  }

  /** Waits until all of them have ended, however. The error names those that have not, and what their steps wait for. */
  async waitForEnd(runIds: readonly string[], { timeoutMs = 30_000, intervalMs = 40 } = {}): Promise<void> {
    const machineMs = startStopwatch();
    for (const [index, runId] of runIds.entries()) {
      try {
        await eventually(async () => ENDED.has((await this.run(runId)).status), {
          timeoutMs: Math.max(1, timeoutMs - machineMs()),
          intervalMs,
        });
      } catch (error) {
        const open = await this.#describeOpen(runIds.slice(index));
        throw new Error(`waited ${timeoutMs} ms for ${runIds.length} runs to end; ${open}`, { cause: error });
      }
    }
  }

  /** Waits for an event of a run that matches, and gives it. */
  waitForEvent(runId: string, matches: (event: HistoryEvent) => boolean, timeoutMs = 15_000): Promise<HistoryEvent> {
    return eventually(async () => (await this.history(runId)).find(matches), {
      timeoutMs,
      intervalMs: 30,
      message: `an event of run ${runId}`,
    });
  }

  async #describeOpen(runIds: readonly string[]): Promise<string> {
    const lines: string[] = [];
    let open = 0;
    for (const runId of runIds) {
      const run = await this.run(runId);
      if (ENDED.has(run.status)) continue;
      open += 1;
      if (lines.length >= 3) continue;
      const steps = (await this.steps(runId)).filter(({ status }) => status !== 'succeeded' && status !== 'waiting');
      const shown = steps.slice(0, 5).map(({ stepId, status, reason }) => `${stepId} ${status} ${reason ?? ''}`.trim());
      const last = (await this.history(runId)).at(-1);
      const ago = last === undefined ? '' : `, last event ${last.type} ${Date.now() - last.at} ms ago`;
      lines.push(`${runId} is ${run.status}: ${shown.join(', ') || 'only waiting steps'}${ago}`);
    }
    return `${open} have not:\n${lines.join('\n')}`;
  }

  async #tryOnce<Body>(
    { method, path, body, headers }: { method: string; path: string; body: unknown; headers: object },
    timeoutMs: number,
  ): Promise<ApiAnswer<Body> | Error> {
    const urls = this.#urls();
    const url = urls[this.#next % Math.max(1, urls.length)];
    if (url === undefined) return new Error('no scheduler of the fleet runs');
    const startedAt = performance.now();
    try {
      const response = await this.#fetch(url + path, {
        method,
        signal: AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs))),
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const parsed = (text === '' ? undefined : JSON.parse(text)) as Body;
      const tookMs = performance.now() - startedAt;
      return { status: response.status, headers: response.headers, body: parsed, tookMs };
    } catch (error) {
      // A scheduler that was killed or is frozen: the caller decides whether another is asked.
      return new Error(`${method} ${path} got no answer: ${(error as Error).message}`, { cause: error });
    }
  }
}

const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'timed-out']);

function refusal(what: string, { status, body }: ApiAnswer<unknown>): Error {
  const { code, detail } = (body ?? {}) as Partial<ProblemDocument>;
  return new Error(`${what} answered ${status} ${code ?? ''}: ${detail ?? JSON.stringify(body)}`);
}

/** Like Promise.all over a map, with at most `atOnce` under way. */
export async function mapInTurn<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index]!, index);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  return results;
}
