import {
  DEFAULT_JSON_LIMITS,
  FlotillaError,
  findJsonProblem,
  type Json,
  type JsonLimits,
  type Problem,
  pointerToken,
} from '@flotilla/contracts';
import { canonicalJson } from '@flotilla/engine';
import type { Handler, StepContext } from '@flotilla/steps';
import type { z } from 'zod';
import type { AttemptControl } from './attempt-control.ts';
import { AttemptScope, runInScope } from './attempt-scope.ts';

/** After its AbortSignal a handler has this long to end; then its slot is taken from it and its result is not used. */
export const ABORT_GRACE_MS = 1000;

export type HandlerEnd =
  | { kind: 'returned'; outputJson: string; output: Json }
  | { kind: 'threw'; error: unknown }
  /** Did not end within the grace after its abort. */
  | { kind: 'abandoned' };

/**
 * Checks the input, runs the handler, checks what it returned. Never rejects. An error that escapes the handler before it has
 * ended (see `containStrayErrors` of the worker) ends the attempt like one that it throws.
 */
export async function runHandler(
  handler: Handler,
  input: Json,
  { context, control }: { context: StepContext; control: AttemptControl },
  limits: JsonLimits = DEFAULT_JSON_LIMITS,
): Promise<HandlerEnd> {
  const { runId, stepId, attempt } = context;
  const scope = new AttemptScope({ runId, stepId, attempt, use: handler.use });
  try {
    const checked = handler.input === undefined ? input : parse(handler.input, input, 'STEP_INPUT_INVALID', 'input');
    if (control.signal.aborted) return { kind: 'threw', error: control.signal.reason };
    scope.open(() => control.abort('stray-error'));
    const result = runInScope(scope, async () => handler.run(checked, context));
    const returned = await untilAbandoned(result, control);
    if (scope.strayError !== undefined) return { kind: 'threw', error: scope.strayError };
    if (returned === ABANDONED) return { kind: 'abandoned' };
    const output =
      handler.output === undefined ? returned : parse(handler.output, returned, 'STEP_OUTPUT_INVALID', 'output');
    return { kind: 'returned', ...outputOf(output, limits) };
  } catch (error) {
    // What the handler throws then is mostly what its abort has led to.
    return { kind: 'threw', error: scope.strayError ?? error };
  } finally {
    scope.settle();
  }
}

const ABANDONED = Symbol('abandoned');

/** The handler's result, or ABANDONED when it goes on past the grace. Its late result or error is of no interest. */
function untilAbandoned(result: Promise<unknown>, { signal }: AttemptControl): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      timer = setTimeout(() => resolve(ABANDONED), ABORT_GRACE_MS);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    result.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        reject(error as Error);
      },
    );
  });
}

/** What is stored: canonical JSON. Nothing returned is null. Throws STEP_OUTPUT_INVALID, which no retry follows. */
function outputOf(value: unknown, limits: JsonLimits): { outputJson: string; output: Json } {
  const output = value === undefined ? null : value;
  const problem = findJsonProblem(output, limits);
  if (problem !== undefined) {
    const at = problem.path === '' ? '' : ` at ${problem.path}`;
    const problems: Problem[] = [{ code: problem.code, path: problem.path, message: problem.message }];
    throw new FlotillaError('STEP_OUTPUT_INVALID', `the output cannot be stored: ${problem.message}${at}`, {
      problems,
    });
  }
  return { outputJson: canonicalJson(output), output: output as Json };
}

function parse(
  schema: z.ZodType,
  value: unknown,
  code: 'STEP_INPUT_INVALID' | 'STEP_OUTPUT_INVALID',
  what: string,
): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => ({
    code: issue.code ?? 'custom',
    path: issue.path.map((key) => `/${pointerToken(String(key))}`).join(''),
    message: issue.message,
  }));
  const list = problems.map(({ path, message }) => `${path || '/'}: ${message}`).join('; ');
  throw new FlotillaError(code, `the ${what} does not satisfy the handler's schema: ${list}`.slice(0, 2000), {
    problems,
  });
}
