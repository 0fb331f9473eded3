import type { ProblemDocument } from '@flotilla/contracts';

/** Under which the dashboard is served, with a slash at the end. */
export const BASE = new URL(document.baseURI).pathname.replace(/[^/]*$/, '');

/** What the API, or the dashboard in front of it, answered instead of what was asked for. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly problems: NonNullable<ProblemDocument['problems']>;

  constructor(status: number, document: Partial<ProblemDocument>) {
    super(document.detail ?? document.title ?? `The server answered ${status}`);
    this.status = status;
    this.code = document.code ?? 'UNKNOWN';
    this.problems = document.problems ?? [];
  }
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A path of the API with its query: `/v1/runs?limit=50`. */
function apiPath(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

export function readApi<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
  return callServer<Answer>('GET', apiPath(path, query), undefined, signal);
}

export function changeApi<Answer>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
  return callServer<Answer>(method, path, body);
}

const GIVE_UP_MS = 70_000;

async function callServer<Answer>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
  const limit = AbortSignal.timeout(GIVE_UP_MS);
  const answer = await fetch(`${BASE}${path.slice(1)}`, {
    method,
    headers: {
      accept: 'application/json',
      // Forms of other sites cannot send it: the dashboard refuses changes without it.
      ...(method === 'GET' ? {} : { 'x-flotilla-dashboard': '1' }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  });
  const text = await answer.text();
  const document = parseJson(text);
  if (!answer.ok) throw new ApiProblem(answer.status, (document ?? {}) as Partial<ProblemDocument>);
  return document as Answer;
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A step's or run's id as a part of a path. */
export function part(id: string): string {
  return encodeURIComponent(id);
}
