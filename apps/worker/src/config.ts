import type { BreakerSettings } from '@flotilla/breakers';
import {
  type Flags,
  FlotillaError,
  flagsZ,
  isLegalId,
  isLoopbackHost,
  type Problem,
  withCurrentNames,
} from '@flotilla/contracts';
import { parseWatermarks, type Watermarks } from '@flotilla/redis';
import { DEFAULT_TELEMETRY_LEVEL, TELEMETRY_LEVELS } from '@flotilla/telemetry';
import { z } from 'zod';

/** Every environment variable that the worker reads. docs/reference/configuration.md says the same to users. */
const wholeNumber = (minimum: number, maximum: number, standard: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum))
    .prefault(String(standard));

const flag = (standard: boolean) => z.enum(['1', 'true', 'yes', '0', 'false', 'no', '']).prefault(standard ? '1' : '0');
const isOn = (value: string): boolean => ['1', 'true', 'yes'].includes(value);

const list = z
  .string()
  .transform((text) => text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()])));

/** Comma separated, or a JSON list where a path has a comma. */
const modulesZ = z.string().transform((text, context) => {
  if (!/^\s*\[\s*"/.test(text)) return list.parse(text);
  const modules = z.array(z.string().min(1)).safeParse(parsedOrUndefined(text)).data;
  if (modules !== undefined) return modules;
  context.addIssue({ code: 'custom', message: 'expected a JSON list of texts, or module names with commas between' });
  return z.NEVER;
});

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Secrets, comma separated: the first signs checkpoints, all verify them. */
const checkpointKeysZ = z
  .string()
  .transform((text) => text.split(',').flatMap((key) => (key.trim() === '' ? [] : [key.trim()])))
  .pipe(z.array(z.string().min(32, 'expected keys of at least 32 characters').max(256)).max(16));

/** Empty: none. */
const portZ = z
  .string()
  .refine((text) => /^\d{0,5}$/.test(text) && Number(text) <= 65_535, 'expected a port, 0 to 65535')
  .transform((text) => (text === '' ? undefined : Number(text)));

/** Empty: none. */
const tokenZ = z
  .string()
  .refine((text) => text === '' || (text.length >= 16 && text.length <= 256), 'expected 16 to 256 characters')
  .transform((text) => (text === '' ? undefined : text));

/** One field a variable; each takes text. */
export const environmentZ = z.object({
  REDIS_URL: z.string().min(1).prefault('redis://127.0.0.1:6379'),
  FLOTILLA_NAMESPACE: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected 1 to 32 of a-z 0-9 - that begin with a letter')
    .prefault('fl'),
  FLOTILLA_PARTITIONS: wholeNumber(1, 1024, 8),
  FLOTILLA_CHECKPOINT_KEYS: checkpointKeysZ.prefault(''),
  FLOTILLA_ALLOW_VOLATILE: flag(false),
  FLOTILLA_HANDLERS: modulesZ.prefault(''),
  FLOTILLA_HANDLERS_LOAD_MS: wholeNumber(1, 600_000, 20_000),
  FLOTILLA_QUEUES: list.pipe(z.array(z.string().refine(isLegalId, 'expected queue names'))).prefault('default'),
  FLOTILLA_CONCURRENCY: wholeNumber(1, 10_000, 64),
  FLOTILLA_PROBATION_SLOTS: wholeNumber(1, 10_000, 2),
  FLOTILLA_ISOLATED_PROCESSES: wholeNumber(0, 64, 2),
  FLOTILLA_STORAGE_WATERMARKS: z
    .string()
    .refine((text) => parseWatermarks(text) !== undefined, 'expected three ascending percents such as 70,80,90')
    .prefault('70,80,90'),
  FLOTILLA_DRAIN_MS: wholeNumber(0, 3_600_000, 10_000),
  FLOTILLA_FLAGS: flagsZ.prefault(''),
  FLOTILLA_MAX_OUTPUT_BYTES: wholeNumber(64, 16 * 1024 * 1024, 262_144),
  FLOTILLA_BREAKER_PROBE_INTERVAL_MS: wholeNumber(100, 3_600_000, 10_000),
  FLOTILLA_BREAKER_PROBE_TIMEOUT_MS: wholeNumber(100, 3_600_000, 30_000),
  FLOTILLA_METRICS_PORT: portZ.prefault(''),
  FLOTILLA_METRICS_HOST: z.string().min(1).max(253).prefault('127.0.0.1'),
  FLOTILLA_METRICS_TOKEN: tokenZ.prefault(''),
  FLOTILLA_TELEMETRY: z.enum(TELEMETRY_LEVELS).prefault(DEFAULT_TELEMETRY_LEVEL),
  FLOTILLA_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
});

export interface WorkerConfig {
  redisUrl: string;
  namespace: string;
  partitions: number;
  allowVolatile: boolean;
  /** The first signs checkpoints, all verify them; none: checksums alone. */
  checkpointKeys: readonly string[];
  /** Modules with handlers: paths or package names. */
  handlerModules: readonly string[];
  /** Each module may take so long to load. */
  handlersLoadMs: number;
  queues: readonly string[];
  /** Attempts at once. */
  concurrency: number;
  /** Attempts at once while the agent is on probation. */
  probationSlots: number;
  /** Processes at once for steps that may be what ends workers; with 0 they are made beside the others. */
  isolatedProcesses: number;
  /** Percents of Redis' maxmemory; at the last one no attempt begins. */
  watermarks: Watermarks;
  /** How long attempts may go on after SIGTERM before they are handed back. */
  drainMs: number;
  /** What is switched on, for which runs. */
  flags: Flags;
  maxOutputBytes: number;
  breakers: Pick<BreakerSettings, 'probeIntervalMs' | 'probeTimeoutMs'>;
  /** Where `/metrics` is served; undefined: nowhere. */
  metrics: { host: string; port: number; token: string | undefined } | undefined;
  logLevel: z.infer<typeof environmentZ>['FLOTILLA_LOG_LEVEL'];
}

/** CONFIG_INVALID with one problem for each variable that is wrong; `path` is `/` and the variable's name. */
export function readWorkerConfig(environment: Readonly<Record<string, string | undefined>>): WorkerConfig {
  const given = Object.fromEntries(
    Object.entries(withCurrentNames(environment)).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentZ.safeParse(given);
  if (!parsed.success) {
    const problems: Problem[] = parsed.error.issues.map((issue) => ({
      code: 'ILLEGAL_VALUE',
      path: `/${String(issue.path[0])}`,
      message: issue.message,
    }));
    const lines = problems.map((problem) => `  ${problem.path.slice(1)}: ${problem.message}`);
    throw new FlotillaError('CONFIG_INVALID', `The configuration has problems:\n${lines.join('\n')}`, { problems });
  }
  const { data } = parsed;
  return {
    redisUrl: data.REDIS_URL,
    namespace: data.FLOTILLA_NAMESPACE,
    partitions: data.FLOTILLA_PARTITIONS,
    allowVolatile: isOn(data.FLOTILLA_ALLOW_VOLATILE),
    checkpointKeys: data.FLOTILLA_CHECKPOINT_KEYS,
    handlerModules: data.FLOTILLA_HANDLERS,
    handlersLoadMs: data.FLOTILLA_HANDLERS_LOAD_MS,
    queues: data.FLOTILLA_QUEUES,
    concurrency: data.FLOTILLA_CONCURRENCY,
    probationSlots: data.FLOTILLA_PROBATION_SLOTS,
    isolatedProcesses: data.FLOTILLA_ISOLATED_PROCESSES,
    watermarks: parseWatermarks(data.FLOTILLA_STORAGE_WATERMARKS)!,
    drainMs: data.FLOTILLA_DRAIN_MS,
    flags: data.FLOTILLA_FLAGS,
    maxOutputBytes: data.FLOTILLA_MAX_OUTPUT_BYTES,
    breakers: {
      probeIntervalMs: data.FLOTILLA_BREAKER_PROBE_INTERVAL_MS,
      probeTimeoutMs: data.FLOTILLA_BREAKER_PROBE_TIMEOUT_MS,
    },
    metrics: readMetrics(data),
    logLevel: data.FLOTILLA_LOG_LEVEL,
  };
}

/** Beyond loopback a token is needed. CONFIG_INVALID. */
function readMetrics(data: z.infer<typeof environmentZ>): WorkerConfig['metrics'] {
  const { FLOTILLA_METRICS_HOST: host, FLOTILLA_METRICS_PORT: port, FLOTILLA_METRICS_TOKEN: token } = data;
  if (port === undefined) return undefined;
  if (token !== undefined || isLoopbackHost(host)) return { host, port, token };
  const message = `${host} can be reached by other machines: FLOTILLA_METRICS_TOKEN is needed`;
  throw new FlotillaError('CONFIG_INVALID', message, {
    problems: [{ code: 'ILLEGAL_VALUE', path: '/FLOTILLA_METRICS_HOST', message }],
  });
}
