import { FlotillaError, isFlotillaError, isLoopbackHost, SCOPES } from '@flotilla/contracts';
import { prepareValidators } from '@flotilla/input-schema';
import { type Meters, NO_METERS, observeValue } from '@flotilla/telemetry';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { BulkApi } from '../bulk/bulk-api.ts';
import { registerAccessRoute } from './access.ts';
import { registerAgentRoutes } from './agents.ts';
import { readJsonBodies } from './body/read-json-body.ts';
import { boundApi, boundBreakers, boundInsight } from './bounded-api.ts';
import { type BreakerApi, registerBreakerRoutes } from './breakers.ts';
import { boundBulk, registerBulkRoutes } from './bulk/routes.ts';
import { boundChannels, type ChannelApi, registerChannelRoutes } from './channels/routes.ts';
import { registerCleanupRoutes } from './cleanups.ts';
import { answerClientError } from './client-error.ts';
import { registerDeadLetterRoutes } from './dead-letters/routes.ts';
import { registerFlagRoutes } from './flags.ts';
import { createAdmission } from './guards/admission.ts';
import { affordableConnections } from './guards/affordable-connections.ts';
import { createKeyCheck } from './guards/api-keys.ts';
import { checkHost } from './guards/check-host.ts';
import { ConnectionLimit } from './guards/connection-limit.ts';
import { hidePayloads } from './guards/hide-payloads.ts';
import { InFlightLimit } from './guards/in-flight-limit.ts';
import { requireScope } from './guards/scopes.ts';
import { StreamLimit } from './guards/stream-limit.ts';
import { type FindLoopProblems, registerHealthRoutes } from './health.ts';
import type { HttpConfig, HttpContext, HttpLogger } from './http-context.ts';
import { InputSchemas } from './input/input-schemas.ts';
import { registerErrorGroupRoutes } from './insight/error-groups.ts';
import { registerEventFeedRoute } from './insight/feed/event-feed.ts';
import type { InsightApi } from './insight/insight-api.ts';
import { registerRunListRoute } from './insight/list-runs.ts';
import { registerRunInsightRoutes } from './insight/run-insight.ts';
import { registerStepLogRoutes } from './insight/step-logs.ts';
import { LiveAgents } from './live-agents.ts';
import { collectOpenApi, registerOpenApiRoute } from './openapi.ts';
import { PlanSource } from './plan-source.ts';
import { PROBLEM_TYPE, retryAfterSeconds, toFlotillaError, toProblemDocument } from './problem-document.ts';
import { RouteTable } from './route-table.ts';
import type { AgentApi, CompileWorkflow, StateApi, WhyApi } from './run-api.ts';
import { registerRunBatchRoute } from './run-batch.ts';
import { registerRunControlRoutes } from './run-control.ts';
import { registerRunEventsRoute } from './run-events.ts';
import { RunWatch } from './run-watch.ts';
import { registerRunRoutes } from './runs.ts';
import { registerValidateRoute } from './validate.ts';
import { registerApprovalRoutes } from './waits/approvals.ts';
import { registerSignalRoutes } from './waits/signals.ts';
import { boundWaits, type WaitApi } from './waits/wait-api.ts';
import { registerWebhookRoutes, WEBHOOK_ROUTE } from './waits/webhooks.ts';
import { registerWhyRoutes } from './why.ts';
import { registerWorkflowRoutes } from './workflows.ts';
import { validationFailed, zodProblems } from './zod-problems.ts';

export interface HttpServerOptions {
  api: StateApi;
  agentApi: AgentApi;
  whyApi: WhyApi;
  breakers: BreakerApi;
  waitApi: WaitApi;
  insight: InsightApi;
  channelApi: ChannelApi;
  bulkApi: BulkApi;
  compile: CompileWorkflow;
  config: HttpConfig;
  logger: HttpLogger;
  /** Default: counters of its own. */
  meters?: Meters;
  /** For /readyz. Default: none. */
  findLoopProblems?: FindLoopProblems;
  /** What is wrong with how Redis is set up; told by /readyz. */
  findStoreProblems?: FindLoopProblems;
  /** True while there is no room for new runs. Default: never. */
  refusesRuns?: () => boolean;
  /** How slowly a request may arrive. Default: its head within 10 s, all of it within 60 s. */
  arrival?: ArrivalLimits;
}

interface ArrivalLimits {
  headMs: number;
  requestMs: number;
}

/** Bodies of requests that carry no definition. */
const SMALL_BODY_BYTES = 65_536;
const ARRIVAL_LIMITS: ArrivalLimits = { headMs: 10_000, requestMs: 60_000 };
/** Longer than the idle time of common load balancers, so that they close first. */
const KEEP_ALIVE_MS = 72_000;
/** Requests that run when the server closes may take this long to end. */
const CLOSE_GRACE_MS = 5000;
/** An answer that refuses a body is still read to its end up to this size, or its sender would never see the answer. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024 * 1024;
/** These show nothing about runs and are asked for by machinery that has no key. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz']);
/** They have a limit of their own. */
const STREAM_ROUTES: ReadonlySet<string> = new Set(['/v1/runs/:runId/events', '/v1/events']);

/** The HTTP API as a fastify instance that does not listen yet. `close()` ends event streams and waits for the rest. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { config, logger, arrival = ARRIVAL_LIMITS } = options;
  const closing = new AbortController();
  const maxConnections = affordableConnections(config.maxConnections);
  const context = createContext(options, closing.signal, maxConnections);
  const app: FastifyInstance = Fastify({
    logger: false,
    bodyLimit: SMALL_BODY_BYTES,
    requestTimeout: arrival.requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      headersTimeout: arrival.headMs,
      connectionsCheckingInterval: Math.min(2000, arrival.headMs / 2),
      maxHeaderSize: 16_384,
    },
    routerOptions: { maxParamLength: 512 },
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply, logger),
  });
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data: unknown) => {
    // Fastify hands over null where there is no body.
    const result = schema.safeParse(httpPart === 'body' && data === null ? undefined : data);
    return result.success ? { value: result.data } : { error: validationFailed(zodProblems(result.error)) };
  });
  // What we answer was typed and stored by us: it is not checked again.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  readJsonBodies(app);
  const connections = new ConnectionLimit(app.server, maxConnections);
  observeValue(context.meters, 'flotilla_http_connections', () => connections.connections);
  addGuards(app, config, context.meters);
  countRequests(app, context.meters);
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(error, request, reply, logger));
  const routes = new RouteTable();
  routes.observe(app);
  app.setNotFoundHandler((request, reply) => sendProblem(notFound(request, reply, routes), request, reply, logger));
  app.addHook('onListen', async () => void prepareValidators());
  endOnClose(app, context, closing);
  await collectOpenApi(app);
  await app.register(async (scope) => registerRoutes(scope, context, options));
  return app;
}

/** Closing ends what waits or streams, lets requests finish for a while, and then hangs up on whoever is left. */
function endOnClose(app: FastifyInstance, context: HttpContext, closing: AbortController): void {
  let hangUp: NodeJS.Timeout | undefined;
  app.addHook('preClose', async () => {
    closing.abort();
    context.watch.close();
    hangUp = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
  });
  app.addHook('onSend', async (_request, reply) => {
    // A connection that is kept alive would keep the closing server waiting.
    if (closing.signal.aborted) reply.header('connection', 'close');
  });
  app.addHook('onClose', async () => clearTimeout(hangUp));
}

function createContext(options: HttpServerOptions, closing: AbortSignal, maxConnections: number): HttpContext {
  const { config, compile, logger, meters = NO_METERS } = options;
  const api = boundApi(options.api, options.agentApi, options.whyApi, config.requestDeadlineMs);
  const inputs = new InputSchemas();
  // Half of the connections stay for those who want an answer.
  const streams = new StreamLimit(Math.min(config.maxEventStreams, Math.ceil(maxConnections / 2)));
  observeValue(meters, 'flotilla_http_event_streams', () => streams.streams);
  return {
    api,
    breakers: boundBreakers(options.breakers, config.requestDeadlineMs),
    waits: boundWaits(options.waitApi, config.requestDeadlineMs),
    insight: boundInsight(options.insight, config.requestDeadlineMs),
    channels: boundChannels(options.channelApi, config.requestDeadlineMs),
    bulk: boundBulk(options.bulkApi, config.requestDeadlineMs),
    config,
    logger,
    meters,
    inputs,
    plans: new PlanSource({ api, compile, maxDepth: config.maxDepth, inputs }),
    agents: new LiveAgents(api),
    watch: new RunWatch(api),
    streams,
    admit: createAdmission(options.refusesRuns ?? (() => false)),
    closing,
  };
}

function registerRoutes(
  scope: FastifyInstance,
  context: HttpContext,
  { findLoopProblems = () => [], findStoreProblems = () => [] }: HttpServerOptions,
): void {
  const app = scope.withTypeProvider<ZodTypeProvider>();
  registerWorkflowRoutes(app, context);
  registerValidateRoute(app, context);
  registerRunRoutes(app, context);
  registerRunListRoute(app, context);
  registerErrorGroupRoutes(app, context);
  registerRunInsightRoutes(app, context);
  registerStepLogRoutes(app, context);
  registerEventFeedRoute(app, context);
  registerRunBatchRoute(app, context);
  registerRunControlRoutes(app, context);
  registerDeadLetterRoutes(app, context);
  registerBulkRoutes(app, context);
  registerCleanupRoutes(app, context);
  registerSignalRoutes(app, context);
  registerChannelRoutes(app, context);
  registerApprovalRoutes(app, context);
  registerWebhookRoutes(app, context);
  registerWhyRoutes(app, context);
  registerFlagRoutes(app, context);
  registerRunEventsRoute(app, context);
  registerAgentRoutes(app, context);
  registerBreakerRoutes(app, context);
  registerHealthRoutes(app, context, findLoopProblems, findStoreProblems);
  registerAccessRoute(app);
  registerOpenApiRoute(app);
}

/** Before anything of the body is read: who asks, and whether there is room. */
function addGuards(app: FastifyInstance, config: HttpConfig, meters: Meters): void {
  const onLoopback = isLoopbackHost(config.host);
  const checkKey = config.apiKeys.length > 0 ? createKeyCheck(config.apiKeys) : undefined;
  if (!onLoopback && checkKey === undefined) {
    throw new FlotillaError('CONFIG_INVALID', `${config.host} can be reached by other machines: API keys are needed`);
  }
  const inFlight = new InFlightLimit(config.maxInFlight, config.maxBodyBytes);
  app.decorateRequest('scopes');
  app.addHook('preSerialization', async (request, _reply, payload) =>
    request.scopes.includes('payloads') ? payload : hidePayloads(payload, request.routeOptions.url),
  );
  observeValue(meters, 'flotilla_http_requests_in_flight', () => inFlight.requests);
  app.addHook('onRequest', (request, reply, done) => {
    try {
      if (onLoopback) checkHost(request);
      const open = OPEN_PATHS.has(request.url);
      // A webhook proves itself by its signature.
      const isFree = open || request.routeOptions.url === WEBHOOK_ROUTE;
      request.scopes = isFree || checkKey === undefined ? SCOPES : checkKey(request);
      requireScope(request, request.scopes);
      if (!open && !STREAM_ROUTES.has(request.routeOptions.url ?? '')) inFlight.enter(request, reply);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

function countRequests(app: FastifyInstance, meters: Meters): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    meters.add('flotilla_http_requests_total', labels);
    meters.record('flotilla_http_request_seconds', reply.elapsedTime / 1000, { route });
    done();
  });
}

function notFound(request: FastifyRequest, reply: FastifyReply, routes: RouteTable): FlotillaError {
  const path = request.url.split('?', 1)[0]!.slice(0, 256);
  const methods = routes.methodsOf(request.url);
  if (methods.length === 0) return new FlotillaError('ROUTE_NOT_FOUND', `there is nothing at ${path}`);
  reply.header('allow', methods.join(', '));
  return new FlotillaError('METHOD_NOT_ALLOWED', `${path} takes ${methods.join(', ')}`);
}

function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply, logger: HttpLogger): void {
  const error = toFlotillaError(thrown);
  if (error.code === 'INTERNAL') {
    const cause = isFlotillaError(thrown) ? (thrown.cause ?? thrown) : thrown;
    logger.error({ err: cause, method: request.method, route: request.routeOptions.url }, 'a request failed');
  }
  const document = toProblemDocument(error, request.url.split('?', 1)[0]!.slice(0, 256));
  if (error.retryAfterMs !== undefined) reply.header('retry-after', retryAfterSeconds(error.retryAfterMs));
  if (error.code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer');
  const declared = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  if (error.code === 'PAYLOAD_TOO_LARGE' && declared <= MAX_IGNORED_BODY_BYTES) reply.removeHeader('connection');
  reply.code(document.status).header('content-type', PROBLEM_TYPE).send(JSON.stringify(document));
}
