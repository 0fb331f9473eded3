import { FlotillaError, isFlotillaError } from '@flotilla/contracts';
import { classifyRedisError, mayHaveTakenEffect, RedisUnavailableError } from '@flotilla/redis';
import type { BreakerApi } from './breakers.ts';
import { INSIGHT_READS, INSIGHT_WRITES, type InsightApi } from './insight/insight-api.ts';
import type { AgentApi, RunApi, StateApi, WhyApi } from './run-api.ts';

/** Calls that may have changed something although their answer did not come. */
const WRITES = [
  'createRun',
  'createRuns',
  'cancelRun',
  'pauseRun',
  'resumeRun',
  'retryRun',
  'redriveDeadLetters',
  'retryCleanup',
  'discardDeadLetters',
  'registerWorkflow',
  'deleteWorkflow',
] as const;
const READS = [
  'readRun',
  'listDeadLetters',
  'listFailedCleanups',
  'readDeadLetter',
  'listRuns',
  'listSteps',
  'readHistory',
  'listCheckpoints',
  'readWorkflow',
  'listCleanups',
  'listWorkflows',
  'health',
] as const;
const AGENT_READS = ['listAgents', 'listAgentEvents'] as const;

/** When Redis has trouble, the time after which trying again may help. */
const RETRY_AFTER_MS = 1000;

/**
 * The same API where no call waits longer than `deadlineMs` (DEADLINE_EXCEEDED, ambiguous for what writes) and where
 * errors of the Redis client are typed: REDIS_UNAVAILABLE, STORAGE_FULL.
 */
export function boundApi(api: StateApi, agents: AgentApi, why: WhyApi, deadlineMs: number): RunApi {
  const bounded: RunApi = { ...api, ...agents, ...why, watchRuns: (listener) => api.watchRuns(listener) };
  return Object.assign(
    bounded,
    boundCalls(api, WRITES, deadlineMs, true),
    boundCalls(api, READS, deadlineMs, false),
    boundCalls(agents, AGENT_READS, deadlineMs, false),
    boundCalls(why, ['explainRun', 'planRetry'], deadlineMs, false),
  );
}

/** The same for what looks at the fleet as a whole. */
export function boundInsight(insight: InsightApi, deadlineMs: number): InsightApi {
  return {
    ...boundCalls(insight, INSIGHT_READS, deadlineMs, false),
    ...boundCalls(insight, INSIGHT_WRITES, deadlineMs, true),
  };
}

/** The same for the breakers. */
export function boundBreakers(breakers: BreakerApi, deadlineMs: number): BreakerApi {
  const writes = boundCalls(breakers, ['openBreaker', 'closeBreaker'], deadlineMs, true);
  return { ...writes, ...boundCalls(breakers, ['listBreakers'], deadlineMs, false) };
}

export function boundCalls<Api extends object, Name extends keyof Api & string>(
  api: Api,
  names: readonly Name[],
  deadlineMs: number,
  ambiguous: boolean,
): Pick<Api, Name> {
  const bounded = names.map((name) => {
    const call = (api[name] as (...values: unknown[]) => Promise<unknown>).bind(api);
    return [name, (...values: unknown[]) => answerWithin(typed(call(...values), ambiguous), deadlineMs, ambiguous)];
  });
  return Object.fromEntries(bounded) as Pick<Api, Name>;
}

/** Rejects with DEADLINE_EXCEEDED when the promise has not settled in time; the promise itself goes on. */
export function answerWithin<Value>(promise: Promise<Value>, deadlineMs: number, ambiguous: boolean): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `no answer from the store within ${deadlineMs} ms`;
      reject(new FlotillaError('DEADLINE_EXCEEDED', message, { ambiguous, retryAfterMs: RETRY_AFTER_MS }));
    }, deadlineMs);
    timer.unref(); // a call that hangs does not keep a process alive that is otherwise done
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error as Error);
      },
    );
  });
}

async function typed(answer: Promise<unknown>, writes: boolean): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    const givenUp = error instanceof RedisUnavailableError ? error : undefined;
    const condition = isFlotillaError(error) && givenUp === undefined ? undefined : classifyRedisError(error);
    if (condition === undefined) throw error;
    const full = condition === 'out-of-memory' || condition === 'disk';
    throw new FlotillaError(full ? 'STORAGE_FULL' : 'REDIS_UNAVAILABLE', `Redis does not serve now (${condition})`, {
      retryAfterMs: givenUp?.retryAfterMs ?? RETRY_AFTER_MS,
      // After several tries only the error that tells of all of them knows.
      ambiguous: writes && (givenUp?.ambiguous ?? mayHaveTakenEffect(error)),
      cause: error,
    });
  }
}
