import { createContext, Script } from 'node:vm';

/**
 * Runs synchronous work that outsiders shape (a user's JSON Schema) and stops it when it takes too long, instead of
 * letting it hold the event loop: V8 ends the execution, whatever loop it is in. Costs about 0.1 ms a call.
 */
const context = createContext({ work: undefined as unknown });
const caller = new Script('work()');

/** Thrown when the time was up, also when the work ran out of stack. */
export class WorkTooCostly extends Error {
  override readonly name = 'WorkTooCostly';
}

/**
 * V8 keeps the limit by the clock on the wall. Where others had the processor meanwhile the work gets another chance, with
 * twice as long, until it has had half of the limit in processor time: with one sixth of a processor, too.
 */
const MAX_TRIES = 5;

export function runBounded<Value>(work: () => Value, timeoutMs: number): Value {
  for (let tries = 1; ; tries += 1) {
    const before = process.threadCpuUsage();
    try {
      return runOnce(work, timeoutMs * 2 ** (tries - 1));
    } catch (error) {
      const { user, system } = process.threadCpuUsage(before);
      const hadProcessor = (user + system) / 1000 > timeoutMs / 2;
      if (hadProcessor || tries === MAX_TRIES || !timedOut(error)) throw asTooCostly(error);
    }
  }
}

function runOnce<Value>(work: () => Value, timeoutMs: number): Value {
  context['work'] = work;
  try {
    return caller.runInContext(context, { timeout: timeoutMs }) as Value;
  } finally {
    context['work'] = undefined;
  }
}

/** Without the time limit, for work that cannot take long; still catches endless recursion. */
export function runUnbounded<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    throw asTooCostly(error);
  }
}

function asTooCostly(error: unknown): unknown {
  return timedOut(error) || error instanceof RangeError ? new WorkTooCostly('too costly', { cause: error }) : error;
}

function timedOut(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
