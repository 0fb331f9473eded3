import type { Meters } from '@flotilla/telemetry';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { BulkApi } from '../bulk/bulk-api.ts';
import type { SchedulerConfig } from '../config.ts';
import type { BreakerApi } from './breakers.ts';
import type { ChannelApi } from './channels/routes.ts';
import type { StreamLimit } from './guards/stream-limit.ts';
import type { InputSchemas } from './input/input-schemas.ts';
import type { InsightApi } from './insight/insight-api.ts';
import type { LiveAgents } from './live-agents.ts';
import type { PlanSource } from './plan-source.ts';
import type { RunApi } from './run-api.ts';
import type { RunWatch } from './run-watch.ts';
import type { WaitApi } from './waits/wait-api.ts';

/** What the HTTP part reads of the scheduler's configuration. */
export type HttpConfig = Pick<
  SchedulerConfig,
  | 'host'
  | 'apiKeys'
  | 'maxDepth'
  | 'maxBodyBytes'
  | 'maxInputBytes'
  | 'maxInFlight'
  | 'maxConnections'
  | 'maxEventStreams'
  | 'requestDeadlineMs'
  | 'idempotencyTtlMs'
  | 'flags'
>;

/** The part of a logger that the HTTP part uses; pino fits. */
export interface HttpLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** A fastify instance whose handlers get their types from zod schemas. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What the routes share. */
export interface HttpContext {
  /** Every call has a deadline. */
  api: RunApi;
  breakers: BreakerApi;
  waits: WaitApi;
  insight: InsightApi;
  channels: ChannelApi;
  bulk: BulkApi;
  config: HttpConfig;
  logger: HttpLogger;
  meters: Meters;
  plans: PlanSource;
  inputs: InputSchemas;
  agents: LiveAgents;
  watch: RunWatch;
  /** Every event stream enters here. */
  streams: StreamLimit;
  /** STORAGE_FULL while no new runs are taken. */
  admit: () => void;
  /** Aborted when the server closes: what streams or waits ends. */
  closing: AbortSignal;
}
