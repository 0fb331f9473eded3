import { type AgentView, type BreakerView, FlotillaError, type ProblemDocument } from '@flotilla/contracts';
import { compileInPieces } from '@flotilla/engine';
import { createLogger, startMeters } from '@flotilla/telemetry';
import { agentViewWith } from '@flotilla/testing';
import type { FastifyInstance } from 'fastify';
import type { BulkApi } from '../../bulk/bulk-api.ts';
import { readSchedulerConfig } from '../../config.ts';
import type { ChannelApi } from '../channels/routes.ts';
import { createHttpServer, type HttpServerOptions } from '../create-http-server.ts';
import type { HttpConfig } from '../http-context.ts';
import type { WaitApi } from '../waits/wait-api.ts';
import { FakeInsight } from './fake-insight.ts';
import { FakeRunApi } from './fake-run-api.ts';

export interface TestServer {
  app: FastifyInstance;
  api: FakeRunApi;
  /** What the server logged as errors. */
  logged: unknown[];
  /** Sends JSON, or text as it is, without a socket. */
  send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown, headers?: object): Promise<TestAnswer>;
  /** Listens on a free loopback port. */
  listen(): Promise<string>;
}

/** Waits are tested on a real fleet: nothing here waits. */
const NO_WAITS: WaitApi = {
  sendSignal: async () => refuse(),
  answerWebhook: async () => refuse(),
  listApprovals: async () => ({ approvals: [] }),
  readApproval: async () => undefined,
  decideApproval: async () => refuse(),
};

const NO_CHANNELS: ChannelApi = { send: async () => refuse(), read: async () => [], list: async () => [] };

/** Bulk jobs as well. */
const NO_BULK: BulkApi = {
  start: async () => ({ count: 0 }),
  list: async () => [],
  read: async () => refuse(),
  listItems: async () => refuse(),
  abort: async () => refuse(),
};

function refuse(): never {
  throw new FlotillaError('RUN_NOT_FOUND', 'there are no runs that wait');
}

interface TestAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | number | undefined>>;
  text: string;
  body: Record<string, unknown>;
  problem: ProblemDocument;
}

/** The HTTP server over runs in memory. */
export async function startTestServer(
  config: Partial<HttpConfig> = {},
  options: Partial<HttpServerOptions> = {},
): Promise<TestServer> {
  const api = new FakeRunApi();
  const logged: unknown[] = [];
  const logger = {
    error: (details: object): void => void logged.push(details),
    warn: (details: object): void => void logged.push(details),
  };
  const breakers = { listBreakers: async () => [], openBreaker: noBreaker, closeBreaker: noBreaker };
  const meters = await startMeters({
    service: 'test',
    environment: {},
    logger: createLogger({ name: 'test', level: 'silent' }),
  });
  const app = await createHttpServer({
    meters,
    api,
    agentApi: api,
    whyApi: api,
    waitApi: NO_WAITS,
    insight: new FakeInsight(api),
    channelApi: NO_CHANNELS,
    bulkApi: NO_BULK,
    breakers,
    compile: compileInPieces,
    config: { ...readSchedulerConfig({}), ...config },
    logger,
    ...options,
  });
  await app.ready();
  return {
    app,
    api,
    logged,
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    async send(method, url, body, headers = {}) {
      const isText = typeof body === 'string' || Buffer.isBuffer(body);
      const answer = await app.inject({
        method,
        url,
        headers: {
          host: '127.0.0.1:7070',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { payload: isText ? body : JSON.stringify(body) }),
      });
      const isJson = String(answer.headers['content-type']).includes('json');
      const parsed = isJson ? (JSON.parse(answer.body) as Record<string, unknown>) : {};
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.body,
        body: parsed,
        problem: parsed as unknown as ProblemDocument,
      };
    },
  };
}

async function noBreaker(name: string): Promise<BreakerView> {
  return { name, state: 'closed', since: 1, parked: 0, manual: false, trials: 0 };
}

export const ECHO = {
  flotilla: 1,
  name: 'echo',
  steps: { say: { kind: 'task', use: 'flotilla.echo', input: '${{ run.input }}' } },
};

export function agentWith(handlers: string[], capabilities: string[] = []): AgentView {
  return agentViewWith({ handlers, capabilities });
}

export const redisIsAway = new FlotillaError('REDIS_UNAVAILABLE', 'Redis cannot be reached', {
  ambiguous: true,
  retryAfterMs: 1200,
});
