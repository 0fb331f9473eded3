import { FlotillaError } from '@flotilla/contracts';

/** Why Redis cannot serve for the moment. Every one of them may pass without a change to the call. */
export type RedisCondition =
  | 'unreachable'
  | 'timeout'
  | 'loading'
  | 'out-of-memory'
  | 'disk'
  | 'read-only'
  | 'no-replicas'
  | 'busy'
  | 'cluster-down'
  | 'too-many-clients'
  /** The user, password or rights are not (or not yet) those that Redis has: a password is being rotated, or an ACL changed. */
  | 'access-denied';

/** First word of an error reply -> condition. */
const REPLY_CONDITIONS: Readonly<Record<string, RedisCondition>> = {
  LOADING: 'loading',
  OOM: 'out-of-memory',
  MISCONF: 'disk',
  READONLY: 'read-only',
  UNBLOCKED: 'read-only',
  MASTERDOWN: 'read-only',
  NOREPLICAS: 'no-replicas',
  NOGOODREPLICA: 'no-replicas',
  BUSY: 'busy',
  CLUSTERDOWN: 'cluster-down',
  TRYAGAIN: 'cluster-down',
  MOVED: 'cluster-down',
  ASK: 'cluster-down',
  NOAUTH: 'access-denied',
  WRONGPASS: 'access-denied',
  NOPERM: 'access-denied',
};

const NETWORK_CODES: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** Messages of the client itself, which has no codes for them. The first that matches decides. */
const CLIENT_MESSAGES: readonly (readonly [RegExp, RedisCondition])[] = [
  [/^Command timed out/, 'timeout'],
  [/^Socket timeout\./, 'timeout'],
  [/^Connection is closed/, 'unreachable'],
  [/^Reached the max retries per request limit/, 'unreachable'],
  [/^Stream isn't writeable/, 'unreachable'],
  [/^Command aborted due to connection close/, 'unreachable'],
  [/^Connection is (discarded|aborted)/, 'unreachable'],
  [/^All sentinels are unreachable/, 'unreachable'],
  [/^None of startup nodes is available/, 'unreachable'],
  [/^Cluster isn't ready/, 'cluster-down'],
  [/^Cluster is (disconnect|ended)/, 'cluster-down'],
  [/^Failed to refresh slots cache/, 'cluster-down'],
  [/^Too many Cluster redirections/, 'cluster-down'],
  [/^ERR max number of clients/, 'too-many-clients'],
  [/^ERR (invalid password|AUTH <password> called without any password)/, 'access-denied'],
  // The words of a script that may not do what it does.
  [/^ERR The user executing the script can't /, 'access-denied'],
];

/** Conditions in which the server has refused the call before it did anything. */
const REFUSING: ReadonlySet<RedisCondition> = new Set<RedisCondition>([
  'loading',
  'out-of-memory',
  'disk',
  'read-only',
  'no-replicas',
  'busy',
  'too-many-clients',
  'access-denied',
]);

/** Redis could not serve a call before its deadline. `condition` says why, `ambiguous` whether a write may have landed. */
export class RedisUnavailableError extends FlotillaError {
  readonly condition: RedisCondition;

  constructor(
    message: string,
    options: { condition: RedisCondition; retryAfterMs: number; ambiguous: boolean; cause?: unknown },
  ) {
    super('REDIS_UNAVAILABLE', message, options);
    this.name = 'RedisUnavailableError';
    this.condition = options.condition;
  }
}

/** The passing condition an error stands for, or undefined when the call itself was wrong or not allowed. */
export function classifyRedisError(error: unknown): RedisCondition | undefined {
  if (error instanceof RedisUnavailableError) return error.condition;
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return 'unreachable';
  const firstWord = /^[A-Z]+(?= |$)/.exec(error.message)?.[0];
  if (firstWord !== undefined && Object.hasOwn(REPLY_CONDITIONS, firstWord)) return REPLY_CONDITIONS[firstWord];
  for (const [pattern, condition] of CLIENT_MESSAGES) if (pattern.test(error.message)) return condition;
  // EXECABORT names what refused the commands of the transaction.
  const { previousErrors } = error as { previousErrors?: unknown };
  return Array.isArray(previousErrors) && previousErrors.length > 0 ? classifyRedisError(previousErrors[0]) : undefined;
}

/** True when the same call may succeed a little later. */
export function isTransientRedisError(error: unknown): boolean {
  return classifyRedisError(error) !== undefined;
}

/** True when the call may have taken effect although it failed: it was sent, and its answer did not come. */
export function mayHaveTakenEffect(error: unknown): boolean {
  const condition = classifyRedisError(error);
  if (condition === undefined || REFUSING.has(condition)) return false;
  const { code, message } = error as { code?: unknown; message: string };
  return (
    code !== 'ECONNREFUSED' && code !== 'ENOTFOUND' && !/^(Stream isn't writeable|CLUSTERDOWN|TRYAGAIN)/.test(message)
  );
}

/** True when Redis refuses the user, the password or the right to a command: a person has to put it right. */
export function isAccessDenied(error: unknown): boolean {
  return classifyRedisError(error) === 'access-denied';
}

/** True when this user may not use this one command: what an ACL or a managed service has taken away is done without. */
export function isCommandDenied(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(NOPERM|ERR unknown (command|subcommand)|ERR command not allowed)\b/i.test(error.message)
  );
}

/**
 * Takes the arguments off an error of the client, in place. The client hangs them on every error, and they hold
 * payloads, and of HELLO and AUTH the password: they must not reach a log.
 */
export function withoutArguments<E>(error: E): E {
  if (error instanceof Error && 'command' in error) {
    const { command } = error as { command?: { name?: unknown } };
    Object.assign(error, { command: { name: String(command?.name ?? ''), args: [] } });
  }
  return error;
}
