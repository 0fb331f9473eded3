import {
  type Flags,
  FlotillaError,
  flagsZ,
  isLoopbackHost,
  type Problem,
  parseApiKey,
  withCurrentNames,
} from '@flotilla/contracts';
import { DEFAULT_HEALTH_THRESHOLDS, type HealthThresholds } from '@flotilla/engine';
import { parseWatermarks, type Watermarks } from '@flotilla/redis';
import { DEFAULT_TELEMETRY_LEVEL, TELEMETRY_LEVELS } from '@flotilla/telemetry';
import { z } from 'zod';

/** Every environment variable that the scheduler reads. docs/reference/configuration.md says the same to users. */
const DAY_MS = 86_400_000;

const wholeNumber = (minimum: number, maximum: number, standard: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum))
    .prefault(String(standard));

const flag = z.enum(['1', 'true', 'yes', '0', 'false', 'no', '']).prefault('0');

/** Percents of Redis' maxmemory: retention tightened, runs refused, steps held. */
const watermarks = z
  .string()
  .refine((text) => parseWatermarks(text) !== undefined, 'expected three ascending percents such as 70,80,90')
  .prefault('70,80,90');

const apiKeyZ = z
  .string()
  .regex(/^[\x21-\x7e]*$/, 'expected keys of printable characters without spaces')
  .refine((text) => parseApiKey(text).secret.length >= 16, 'expected keys of at least 16 characters')
  .max(256);

/** Secrets, comma separated: the first signs checkpoints, all verify them. */
const checkpointKeysZ = z
  .string()
  .transform((text) => text.split(',').flatMap((key) => (key.trim() === '' ? [] : [key.trim()])))
  .pipe(z.array(z.string().min(32, 'expected keys of at least 32 characters').max(256)).max(16));

/** One field a variable; each takes text. */
export const environmentZ = z.object({
  REDIS_URL: z.string().min(1).prefault('redis://127.0.0.1:6379'),
  FLOTILLA_HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:[\]-]{1,253}$/, 'expected a host name or an IP address')
    .prefault('127.0.0.1'),
  FLOTILLA_PORT: wholeNumber(0, 65_535, 7070),
  /** Comma separated. */
  FLOTILLA_API_KEYS: z
    .string()
    .transform((text) => text.split(',').flatMap((key) => (key.trim() === '' ? [] : [key.trim()])))
    .pipe(z.array(apiKeyZ).max(1000))
    .prefault(''),
  FLOTILLA_NAMESPACE: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected 1 to 32 of a-z 0-9 - that begin with a letter')
    .prefault('fl'),
  FLOTILLA_PARTITIONS: wholeNumber(1, 1024, 8),
  FLOTILLA_CHECKPOINT_KEYS: checkpointKeysZ.prefault(''),
  FLOTILLA_ALLOW_VOLATILE: flag,
  FLOTILLA_RETENTION_MS: wholeNumber(1000, 3650 * DAY_MS, 7 * DAY_MS),
  FLOTILLA_STORAGE_WATERMARKS: watermarks,
  FLOTILLA_IDEMPOTENCY_TTL_MS: wholeNumber(1000, 3650 * DAY_MS, 8 * DAY_MS),
  FLOTILLA_MAX_DEPTH: wholeNumber(1, 20_000, 1000),
  FLOTILLA_MAX_BODY_BYTES: wholeNumber(1024, 64 * 1024 * 1024, 8 * 1024 * 1024),
  FLOTILLA_MAX_INPUT_BYTES: wholeNumber(64, 16 * 1024 * 1024, 262_144),
  FLOTILLA_MAX_IN_FLIGHT: wholeNumber(1, 100_000, 1000),
  FLOTILLA_MAX_CONNECTIONS: wholeNumber(1, 1_000_000, 10_000),
  FLOTILLA_MAX_EVENT_STREAMS: wholeNumber(0, 100_000, 1000),
  FLOTILLA_REQUEST_DEADLINE_MS: wholeNumber(100, 600_000, 10_000),
  FLOTILLA_FLAGS: flagsZ.prefault(''),
  FLOTILLA_HEALTH_CHECK_MS: wholeNumber(100, 30_000, 1000),
  FLOTILLA_HEALTH_FAILURES: wholeNumber(1, 1000, DEFAULT_HEALTH_THRESHOLDS.consecutiveFailures),
  FLOTILLA_HEALTH_ERROR_PERCENT: wholeNumber(0, 100, DEFAULT_HEALTH_THRESHOLDS.errorRate * 100),
  FLOTILLA_HEALTH_MIN_VOLUME: wholeNumber(1, 1_000_000, DEFAULT_HEALTH_THRESHOLDS.minimumVolume),
  FLOTILLA_HEALTH_RESPONSE_MS: wholeNumber(1, DAY_MS, DEFAULT_HEALTH_THRESHOLDS.responseTimeMs),
  FLOTILLA_HEALTH_LOST_MS: wholeNumber(5000, 60_000, DEFAULT_HEALTH_THRESHOLDS.lostAfterMs),
  FLOTILLA_HEALTH_COOL_DOWN_MS: wholeNumber(100, 60_000, DEFAULT_HEALTH_THRESHOLDS.coolDownMs),
  FLOTILLA_HEALTH_PROBATION_SUCCESSES: wholeNumber(1, 1000, DEFAULT_HEALTH_THRESHOLDS.probationSuccesses),
  FLOTILLA_HEALTH_MAX_UNHEALTHY_PERCENT: wholeNumber(0, 100, DEFAULT_HEALTH_THRESHOLDS.maxUnhealthyShare * 100),
  FLOTILLA_TELEMETRY: z.enum(TELEMETRY_LEVELS).prefault(DEFAULT_TELEMETRY_LEVEL),
  FLOTILLA_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
});

export interface SchedulerConfig {
  redisUrl: string;
  host: string;
  /** 0: any free port. */
  port: number;
  apiKeys: readonly string[];
  namespace: string;
  /** Counts when the deployment is created; afterwards it is checked. */
  partitions: number;
  allowVolatile: boolean;
  /** The first signs checkpoints, all verify them; none: checksums alone. */
  checkpointKeys: readonly string[];
  /** What is switched on, for which runs. */
  flags: Flags;
  /** How long an ended run stays readable. */
  retentionMs: number;
  /** Percents of Redis' maxmemory. */
  watermarks: Watermarks;
  /** How long a key gives the same run; not shorter than the retention. */
  idempotencyTtlMs: number;
  /** Longest chain of steps. */
  maxDepth: number;
  maxBodyBytes: number;
  /** One run's input, as canonical JSON. */
  maxInputBytes: number;
  /** Requests that are worked on at once; more are refused with OVERLOADED. */
  maxInFlight: number;
  /** Open connections; fewer when the limit on open files is lower. */
  maxConnections: number;
  maxEventStreams: number;
  /** For each call to state that a request makes. */
  requestDeadlineMs: number;
  /** When an agent is unhealthy, and how it comes back. */
  health: HealthThresholds;
  /** How often agents are judged. */
  healthCheckMs: number;
  logLevel: z.infer<typeof environmentZ>['FLOTILLA_LOG_LEVEL'];
}

/** CONFIG_INVALID with one problem for each variable that is wrong; `path` is `/` and the variable's name. */
export function readSchedulerConfig(environment: Readonly<Record<string, string | undefined>>): SchedulerConfig {
  const given = withoutEmpty(environment);
  const parsed = environmentZ.safeParse(given);
  const problems = [...(parsed.error?.issues ?? []).map(toProblem), ...crossChecks(given)];
  if (!parsed.success || problems.length > 0) {
    const lines = problems.map((problem) => `  ${problem.path.slice(1)}: ${problem.message}`);
    throw new FlotillaError('CONFIG_INVALID', `The configuration has problems:\n${lines.join('\n')}`, { problems });
  }
  const { data } = parsed;
  return {
    redisUrl: data.REDIS_URL,
    host: data.FLOTILLA_HOST,
    port: data.FLOTILLA_PORT,
    apiKeys: data.FLOTILLA_API_KEYS,
    namespace: data.FLOTILLA_NAMESPACE,
    partitions: data.FLOTILLA_PARTITIONS,
    allowVolatile: ['1', 'true', 'yes'].includes(data.FLOTILLA_ALLOW_VOLATILE),
    checkpointKeys: data.FLOTILLA_CHECKPOINT_KEYS,
    flags: data.FLOTILLA_FLAGS,
    retentionMs: data.FLOTILLA_RETENTION_MS,
    watermarks: parseWatermarks(data.FLOTILLA_STORAGE_WATERMARKS)!,
    idempotencyTtlMs: data.FLOTILLA_IDEMPOTENCY_TTL_MS,
    maxDepth: data.FLOTILLA_MAX_DEPTH,
    maxBodyBytes: data.FLOTILLA_MAX_BODY_BYTES,
    maxInputBytes: data.FLOTILLA_MAX_INPUT_BYTES,
    maxInFlight: data.FLOTILLA_MAX_IN_FLIGHT,
    maxConnections: data.FLOTILLA_MAX_CONNECTIONS,
    maxEventStreams: data.FLOTILLA_MAX_EVENT_STREAMS,
    requestDeadlineMs: data.FLOTILLA_REQUEST_DEADLINE_MS,
    health: {
      ...DEFAULT_HEALTH_THRESHOLDS,
      routing: data.FLOTILLA_FLAGS['health-routing'] > 0,
      consecutiveFailures: data.FLOTILLA_HEALTH_FAILURES,
      errorRate: data.FLOTILLA_HEALTH_ERROR_PERCENT / 100,
      minimumVolume: data.FLOTILLA_HEALTH_MIN_VOLUME,
      responseTimeMs: data.FLOTILLA_HEALTH_RESPONSE_MS,
      lostAfterMs: data.FLOTILLA_HEALTH_LOST_MS,
      coolDownMs: data.FLOTILLA_HEALTH_COOL_DOWN_MS,
      probationSuccesses: data.FLOTILLA_HEALTH_PROBATION_SUCCESSES,
      maxUnhealthyShare: data.FLOTILLA_HEALTH_MAX_UNHEALTHY_PERCENT / 100,
    },
    healthCheckMs: data.FLOTILLA_HEALTH_CHECK_MS,
    logLevel: data.FLOTILLA_LOG_LEVEL,
  };
}

/** A variable that is set to nothing is not set. */
function withoutEmpty(environment: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(withCurrentNames(environment)).filter(([, value]) => value !== undefined && value !== ''),
  );
}

/** What goes wrong between variables that are fine by themselves; told beside what is wrong with others. */
function crossChecks(given: Readonly<Record<string, string | undefined>>): Problem[] {
  const problems: Problem[] = [];
  const { shape } = environmentZ;
  const host = shape.FLOTILLA_HOST.safeParse(given['FLOTILLA_HOST']).data;
  const apiKeys = shape.FLOTILLA_API_KEYS.safeParse(given['FLOTILLA_API_KEYS']).data;
  if (host !== undefined && !isLoopbackHost(host) && apiKeys?.length === 0) {
    const message = `${host} can be reached by other machines: set FLOTILLA_API_KEYS, or bind 127.0.0.1`;
    problems.push({ code: 'KEYS_NEEDED', path: '/FLOTILLA_HOST', message });
  }
  const retentionMs = shape.FLOTILLA_RETENTION_MS.safeParse(given['FLOTILLA_RETENTION_MS']).data;
  const keyMs = shape.FLOTILLA_IDEMPOTENCY_TTL_MS.safeParse(given['FLOTILLA_IDEMPOTENCY_TTL_MS']).data;
  if (retentionMs !== undefined && keyMs !== undefined && keyMs < retentionMs) {
    const message = 'must not be shorter than FLOTILLA_RETENTION_MS, or a key could start its run twice';
    problems.push({ code: 'ILLEGAL_VALUE', path: '/FLOTILLA_IDEMPOTENCY_TTL_MS', message });
  }
  return problems;
}

function toProblem(issue: z.core.$ZodIssue): Problem {
  return { code: 'ILLEGAL_VALUE', path: `/${String(issue.path[0])}`, message: issue.message };
}
