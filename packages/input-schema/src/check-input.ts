import type { Json, Problem } from '@flotilla/contracts';
import type { CompiledSchema } from './compile-schema.ts';
import { runBounded, runUnbounded, WorkTooCostly } from './run-bounded.ts';
import { toProblem } from './schema-problems.ts';

const CHECK_LIMIT_MS = 50;
const MAX_PROBLEMS = 100;
/** Characters of schema times characters of input: below this a schema without costly keywords cannot take long. */
const SMALL_WORK = 4_000_000;

/** What is wrong with an input; pointers under `/input`. Empty of a schema that cannot be used. */
export function checkInput(compiled: CompiledSchema, input: Json, inputCharacters: number): Problem[] {
  const { validate, characters, costly } = compiled;
  if (validate === undefined) return [];
  const work = (): boolean => validate(input) as boolean;
  try {
    const small = !costly && characters * inputCharacters < SMALL_WORK;
    const satisfied = small ? runUnbounded(work) : runBounded(work, CHECK_LIMIT_MS);
    return satisfied ? [] : (validate.errors ?? []).slice(0, MAX_PROBLEMS).map(toProblem);
  } catch (error) {
    if (!(error instanceof WorkTooCostly)) throw error;
    const message = `checking the input against the schema takes more than ${CHECK_LIMIT_MS} ms`;
    return [{ code: 'INPUT_CHECK_TOO_COSTLY', path: '/input', message }];
  } finally {
    validate.errors = null; // holds the input otherwise
  }
}
