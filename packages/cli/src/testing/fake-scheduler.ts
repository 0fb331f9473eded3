import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeScheduler {
  url: string;
  /** `METHOD path` of the requests, with their bodies. */
  requests: { what: string; body: unknown }[];
  stop(): Promise<void>;
}

export interface FakeAnswer {
  status?: number;
  body: unknown;
}

type Routes = Record<string, FakeAnswer | ((url: URL, body: unknown) => FakeAnswer)>;

/**
 * Answers as a scheduler would, from a table of `METHOD /path` (without the query). What is not in the table is a 404
 * problem; event streams end at once, so that clients poll.
 */
export async function fakeScheduler(routes: Routes): Promise<FakeScheduler> {
  const requests: FakeScheduler['requests'] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    const what = `${request.method} ${url.pathname}`;
    const body = await bodyOf(request);
    requests.push({ what, body });
    if (url.pathname.endsWith('/events')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
      return;
    }
    const route = routes[what];
    const answer = typeof route === 'function' ? route(url, body) : (route ?? notFound(what));
    const isProblem = (answer.status ?? 200) >= 400;
    response
      .writeHead(answer.status ?? 200, { 'content-type': isProblem ? 'application/problem+json' : 'application/json' })
      .end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An RFC 9457 answer. */
export function problemAnswer(status: number, code: string, detail: string, problems?: unknown[]): FakeAnswer {
  return { status, body: { type: 'about:blank', title: code, status, code, detail, ...(problems && { problems }) } };
}

function notFound(what: string): FakeAnswer {
  return problemAnswer(404, 'RUN_NOT_FOUND', `nothing at ${what}`);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += chunk as string;
  return text === '' ? undefined : JSON.parse(text);
}
