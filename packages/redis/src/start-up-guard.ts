import { ERROR_CODES, type ErrorCode, FlotillaError, type Problem } from '@flotilla/contracts';
import { type DeploymentRecord, readDeployment, readOrCreateDeployment } from './deployment-record.ts';
import { judgeServer } from './judge-server.ts';
import { isCluster, mastersOf, type RedisClient } from './redis-client.ts';
import { retryTransient } from './retry-transient.ts';
import { readServerFacts, type ServerFacts } from './server-facts.ts';

export interface CheckRedisOptions {
  /** Prefix of all keys, such as `fl`. */
  namespace: string;
  /** How many partitions this process was configured for. */
  partitions: number;
  /** Accept a Redis without AOF (tests, demonstrations). Default false. */
  allowVolatile?: boolean;
  /** The epoch seen earlier: then nothing is created, and its absence is DATA_LOSS. */
  knownEpoch?: string;
  /** Default 5000. */
  deadlineMs?: number;
  signal?: AbortSignal;
}

export interface RedisCheck {
  /** True when there are no problems; warnings do not count. */
  ok: boolean;
  problems: readonly Problem[];
  warnings: readonly Problem[];
  /** One for each server, or master of a Cluster. */
  servers: readonly ServerFacts[];
  /** Undefined when it does not exist and, because of problems, was not created. */
  deployment: DeploymentRecord | undefined;
  /** True when this call created the record. */
  created: boolean;
}

const MOST_PARTITIONS = 4096;

/**
 * Checks whether Redis is fit to keep runs, and that this process fits the deployment in it. All problems are reported
 * together. The deployment record is created by the first caller that finds no problem; with problems nothing is stored.
 *
 * Codes: REDIS_TOO_OLD, REDIS_EVICTS, REDIS_VOLATILE, REDIS_IS_REPLICA, PARTITION_MISMATCH, DATA_LOSS, DATA_CORRUPTION;
 * warnings REDIS_HAS_EVICTED, REDIS_FSYNC_UNBOUNDED, REDIS_UNVERIFIED, and REDIS_VOLATILE when it is allowed.
 *
 * @throws RedisUnavailableError when Redis does not answer before the deadline.
 * @throws FlotillaError CONFIG_INVALID for a namespace or partition count that cannot be.
 */
export async function checkRedis(client: RedisClient, options: CheckRedisOptions): Promise<RedisCheck> {
  const { namespace, partitions, knownEpoch } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MOST_PARTITIONS) {
    throw new FlotillaError('CONFIG_INVALID', `partitions is a whole number from 1 to ${MOST_PARTITIONS}`);
  }
  const startedMs = performance.now();
  const retry = <T>(operation: () => Promise<T>): Promise<T> =>
    retryTransient(operation, {
      deadlineMs: (options.deadlineMs ?? 5000) - (performance.now() - startedMs),
      signal: options.signal,
    });

  const servers = await retry(() => readAllFacts(client));
  const found = servers.flatMap((facts) => judgeServer(facts, { allowVolatile: options.allowVolatile ?? false }));
  const mayCreate = knownEpoch === undefined && !found.some(isError);

  let deployment: DeploymentRecord | undefined;
  let created = false;
  try {
    if (mayCreate) {
      ({ record: deployment, created } = await retry(() => readOrCreateDeployment(client, namespace, partitions)));
    } else {
      deployment = await retry(() => readDeployment(client, namespace));
    }
    found.push(...judgeDeployment(deployment, partitions, knownEpoch));
  } catch (error) {
    if (!(error instanceof FlotillaError && error.code === 'DATA_CORRUPTION')) throw error;
    found.push({ code: error.code, path: '/deployment', message: error.message, severity: 'error' });
  }
  const problems = found.filter(isError);
  const warnings = found.filter((problem) => !isError(problem));
  return { ok: problems.length === 0, problems, warnings, servers, deployment, created };
}

/**
 * `checkRedis` for a process that cannot go on with a problem.
 *
 * @throws FlotillaError with the code of the first problem and all of them in `problems` and in the message.
 */
export async function requireRedis(
  client: RedisClient,
  options: CheckRedisOptions,
): Promise<RedisCheck & { deployment: DeploymentRecord }> {
  const check = await checkRedis(client, options);
  const { deployment, problems } = check;
  if (check.ok && deployment !== undefined) return { ...check, deployment };
  const code = problems[0]?.code ?? 'INTERNAL';
  throw new FlotillaError(
    isErrorCode(code) ? code : 'CONFIG_INVALID',
    problems.map(({ message }) => message).join('\n'),
    {
      problems,
    },
  );
}

async function readAllFacts(client: RedisClient): Promise<ServerFacts[]> {
  // The masters of a Cluster are known once it has answered something.
  if (isCluster(client)) await client.cluster('INFO');
  return Promise.all(mastersOf(client).map(readServerFacts));
}

function judgeDeployment(
  deployment: DeploymentRecord | undefined,
  partitions: number,
  knownEpoch: string | undefined,
): Problem[] {
  const problem = (code: ErrorCode, message: string): Problem => ({
    code,
    path: '/deployment',
    message,
    severity: 'error',
  });
  if (knownEpoch !== undefined && deployment?.epoch !== knownEpoch) {
    const what = deployment === undefined ? 'is gone' : 'was replaced by another';
    return [problem('DATA_LOSS', `the deployment that was in Redis ${what}: its runs are lost; restore a backup`)];
  }
  if (deployment === undefined || deployment.partitions === partitions) return [];
  const fixed = `the deployment was created with ${deployment.partitions} partitions and this process is set to ${partitions}`;
  return [problem('PARTITION_MISMATCH', `${fixed}; the count of a deployment never changes`)];
}

function isError({ severity }: Problem): boolean {
  return severity !== 'warning';
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
