export {
  classifyRedisError,
  isAccessDenied,
  isTransientRedisError,
  mayHaveTakenEffect,
  type RedisCondition,
  RedisUnavailableError,
} from './classify-redis-error.ts';
export { type ConnectOptions, closeConnection, connectRedis, type RedisConnection, untilReady } from './connect.ts';
export type { ConnectionRole } from './connection-settings.ts';
export { type DeploymentRecord, deploymentKey, type EpochState, watchEpoch } from './deployment-record.ts';
export type { ConnectionErrorReport } from './error-reports.ts';
export { keepSubscribed } from './keep-subscribed.ts';
export { describeTarget, parseRedisUrl, type RedisTarget } from './parse-redis-url.ts';
export { isCluster, mastersOf, type RedisClient } from './redis-client.ts';
export { REDIS_RECHECK_MS, RedisWatch, type RedisWatchOptions } from './redis-watch.ts';
export { type RetryTransientOptions, retryTransient, type TransientRetry, type TryContext } from './retry-transient.ts';
export {
  defineLibrary,
  type FunctionDefinition,
  type Library,
  type LibraryFunction,
  runFunction,
} from './run-function.ts';
export {
  defineScript,
  loadScripts,
  runScript,
  type Script,
  type ScriptArgument,
  type ScriptDefinition,
  type ScriptReply,
} from './run-script.ts';
export { parseInfo, type ServerFacts } from './server-facts.ts';
export { type CheckRedisOptions, checkRedis, type RedisCheck, requireRedis } from './start-up-guard.ts';
export { parseWatermarks, type StorageLevel, StorageWatch, type Watermarks } from './storage-watch.ts';
