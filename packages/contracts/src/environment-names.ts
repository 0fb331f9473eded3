import { didYouMean } from './nearest-name.ts';

/**
 * Every variable of ours that some program reads. Each warns of the others, and `up` passes its environment on, so all programs share
 * one list; tests/docs/configuration.test.ts compares it with the sources and with docs/reference/configuration.md.
 */
export const ENVIRONMENT_NAMES: readonly string[] = [
  'FLOTILLA_ALLOW_INSTALL',
  'FLOTILLA_ALLOW_VOLATILE',
  'FLOTILLA_API_KEY',
  'FLOTILLA_API_KEYS',
  'FLOTILLA_BREAKER_PROBE_INTERVAL_MS',
  'FLOTILLA_BREAKER_PROBE_TIMEOUT_MS',
  'FLOTILLA_CHECKPOINT_KEYS',
  'FLOTILLA_CONCURRENCY',
  'FLOTILLA_DASHBOARD_BASE_PATH',
  'FLOTILLA_DASHBOARD_HOST',
  'FLOTILLA_DASHBOARD_HOSTS',
  'FLOTILLA_DASHBOARD_PORT',
  'FLOTILLA_DASHBOARD_SESSION_MS',
  'FLOTILLA_DRAIN_MS',
  'FLOTILLA_FLAGS',
  'FLOTILLA_HANDLERS',
  'FLOTILLA_HANDLERS_LOAD_MS',
  'FLOTILLA_HEALTH_CHECK_MS',
  'FLOTILLA_HEALTH_COOL_DOWN_MS',
  'FLOTILLA_HEALTH_ERROR_PERCENT',
  'FLOTILLA_HEALTH_FAILURES',
  'FLOTILLA_HEALTH_LOST_MS',
  'FLOTILLA_HEALTH_MIN_VOLUME',
  'FLOTILLA_HEALTH_MAX_UNHEALTHY_PERCENT',
  'FLOTILLA_HEALTH_PROBATION_SUCCESSES',
  'FLOTILLA_HEALTH_RESPONSE_MS',
  'FLOTILLA_HOST',
  'FLOTILLA_HTTP_ALLOW',
  'FLOTILLA_IDEMPOTENCY_TTL_MS',
  'FLOTILLA_ISOLATED_PROCESSES',
  'FLOTILLA_LOGS',
  'FLOTILLA_LOG_LEVEL',
  'FLOTILLA_MAX_BODY_BYTES',
  'FLOTILLA_MAX_CONNECTIONS',
  'FLOTILLA_MAX_DEPTH',
  'FLOTILLA_MAX_EVENT_STREAMS',
  'FLOTILLA_MAX_INPUT_BYTES',
  'FLOTILLA_MAX_IN_FLIGHT',
  'FLOTILLA_MAX_OUTPUT_BYTES',
  'FLOTILLA_METRICS_HOST',
  'FLOTILLA_METRICS_PORT',
  'FLOTILLA_METRICS_TOKEN',
  'FLOTILLA_NAMESPACE',
  'FLOTILLA_PARTITIONS',
  'FLOTILLA_PORT',
  'FLOTILLA_PROBATION_SLOTS',
  'FLOTILLA_QUEUES',
  'FLOTILLA_REDIS_LIBRARY_PATH',
  'FLOTILLA_REDIS_SERVER',
  'FLOTILLA_REQUEST_DEADLINE_MS',
  'FLOTILLA_RETENTION_MS',
  'FLOTILLA_STORAGE_WATERMARKS',
  'FLOTILLA_TELEMETRY',
  'FLOTILLA_URL',
  // The tests' own.
  'FLOTILLA_CHAOS',
  'FLOTILLA_CHROMIUM',
  'FLOTILLA_CONFORMANCE_ROUNDS',
  'FLOTILLA_CORPUS',
  'FLOTILLA_EFFECTS_URL',
  'FLOTILLA_FUZZ_SECONDS',
  'FLOTILLA_FUZZ_SEED',
  'FLOTILLA_IMAGES',
  'FLOTILLA_MUTATION',
  'FLOTILLA_REQUIRE_CONTAINERS',
  'FLOTILLA_SEED',
  'FLOTILLA_TEST_MANNER',
  'FLOTILLA_TEST_REDIS',
  'FLOTILLA_TEST_REDIS_URL',
  'FLOTILLA_TEST_SOURCE_ADDRESS',
];

/** The rest of such a name is the user's: a secret that http steps refer to. */
const SECRET = /^FLOTILLA_SECRET_./;
const KNOWN: ReadonlySet<string> = new Set(ENVIRONMENT_NAMES);
/** Kubernetes and Docker set these for a service named flotilla: nobody wrote them. */
const SERVICE_LINK = /^FLOTILLA_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP)(?:_\w+)?)$/;
const MAX_SHOWN_LENGTH = 100;

/** By their former names. These are still read, with a warning, and go with the next version. */
const RENAMED_VARIABLES: Readonly<Record<string, string>> = {
  FLOTILLA_HEALTH_MOST_OUT_PERCENT: 'FLOTILLA_HEALTH_MAX_UNHEALTHY_PERCENT',
  FLOTILLA_OWN_PROCESSES: 'FLOTILLA_ISOLATED_PROCESSES',
};

type Environment = Readonly<Record<string, string | undefined>>;

const isSet = (value: string | undefined): boolean => value !== undefined && value !== '';

/** The environment with values of former names under today's. Where both are set, today's name wins. */
export function withCurrentNames(environment: Environment): Environment {
  const current = { ...environment };
  for (const [former, name] of Object.entries(RENAMED_VARIABLES)) {
    if (!isSet(current[name])) current[name] = current[former];
    delete current[former];
  }
  return current;
}

/** One text for each `FLOTILLA_*` variable that is set and unknown or renamed, in the order of their names. Never has values. */
export function warnOfUnknownVariables(environment: Environment): string[] {
  return Object.entries(environment)
    .filter(([name, value]) => isSet(value) && isUnknown(name))
    .map(([name]) => name)
    .sort()
    .map((name) =>
      Object.hasOwn(RENAMED_VARIABLES, name)
        ? `${name} is now named ${RENAMED_VARIABLES[name]}; the former name is read for one more version`
        : `${name.slice(0, MAX_SHOWN_LENGTH)} is set, but no program reads it${suggestionFor(name)}`,
    );
}

function isUnknown(name: string): boolean {
  return /^FLOTILLA_/i.test(name) && !KNOWN.has(name) && !SECRET.test(name) && !SERVICE_LINK.test(name);
}

function suggestionFor(name: string): string {
  const withoutPrefix = name.replace(/^FLOTILLA_/i, '');
  return withoutPrefix.toUpperCase() === 'REDIS_URL'
    ? ' (did you mean REDIS_URL?)'
    : didYouMean(name, ENVIRONMENT_NAMES);
}
