import { FlotillaError } from '@flotilla/contracts';
import type { RunApi } from './run-api.ts';

/** Calls that may have changed something although their answer did not come. */
const WRITES = ['createRun', 'createRuns', 'cancelRun', 'pauseRun', 'resumeRun', 'registerWorkflow'] as const;
const READS = [
  'readRun',
  'listRuns',
  'listSteps',
  'readHistory',
  'listCheckpoints',
  'listAgents',
  'readWorkflow',
  'listWorkflows',
  'health',
] as const;

/** The same API where no call waits longer than `deadlineMs`: DEADLINE_EXCEEDED, ambiguous for what writes. */
export function boundApi(api: RunApi, deadlineMs: number): RunApi {
  const bounded: RunApi = { ...api, watchRuns: (listener) => api.watchRuns(listener) };
  const bind = (name: (typeof WRITES)[number] | (typeof READS)[number], ambiguous: boolean): void => {
    const call = (api[name] as (...values: unknown[]) => Promise<unknown>).bind(api);
    const withDeadline = (...values: unknown[]) => answerWithin(call(...values), deadlineMs, ambiguous);
    Object.assign(bounded, { [name]: withDeadline });
  };
  for (const name of WRITES) bind(name, true);
  for (const name of READS) bind(name, false);
  return bounded;
}

/** Rejects with DEADLINE_EXCEEDED when the promise has not settled in time; the promise itself goes on. */
export function answerWithin<Value>(promise: Promise<Value>, deadlineMs: number, ambiguous: boolean): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `no answer from the store within ${deadlineMs} ms`;
      reject(new FlotillaError('DEADLINE_EXCEEDED', message, { ambiguous, retryAfterMs: 1000 }));
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
