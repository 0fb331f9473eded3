import type { Json, Problem } from '@flotilla/contracts';
import type { Ajv, ValidateFunction } from 'ajv';
import { runBounded, WorkTooCostly } from './run-bounded.ts';
import { inSchema, schemaProblem, tellingErrors } from './schema-problems.ts';
import { validatorFor } from './validators.ts';

const MAX_SCHEMA_CHARACTERS = 262_144;
const COMPILE_LIMIT_MS = 150;
const MAX_SCHEMA_PROBLEMS = 20;
const COSTLY_KEYWORD = /"(?:\$ref|\$dynamicRef|uniqueItems|pattern|patternProperties)"/;

export interface CompiledSchema {
  /** Undefined when the schema cannot be used. */
  validate: ValidateFunction | undefined;
  /** Why the schema cannot be used; pointers into the definition, under `/input`. */
  problems: readonly Problem[];
  characters: number;
  costly: boolean;
  /** Refused for the time it took, by the clock on the wall. */
  timedOut?: boolean;
}

/**
 * Checks the input of a run against the JSON Schema of its workflow (2020-12, or draft-07 when `$schema` says so).
 * Schemas come from outside, so: patterns are linear, `$ref` stays inside the schema, prototypes are not properties, and
 * neither compiling nor checking can hold the event loop. `format` only describes, as 2020-12 has it.
 */
export function compileSchema(schema: Record<string, Json>): CompiledSchema {
  const text = JSON.stringify(schema);
  const base = { validate: undefined, problems: [], characters: text.length, costly: COSTLY_KEYWORD.test(text) };
  const refuse = (...problems: Problem[]): CompiledSchema => ({ ...base, problems });
  if (text.length > MAX_SCHEMA_CHARACTERS) {
    return refuse(schemaProblem('', `the schema is longer than ${MAX_SCHEMA_CHARACTERS} characters`));
  }
  if (text.includes('"$async"')) return refuse(schemaProblem('', '$async is not supported'));
  const ajv = validatorFor(schema);
  if (ajv === undefined) {
    return refuse(schemaProblem('/$schema', 'only JSON Schema 2020-12 and draft-07 are supported'));
  }
  const identified = { $id: 'https://flotilla.invalid/input', ...schema }; // without an id, `$ref: "#"` finds nothing
  try {
    return runBounded(() => {
      const problems = metaProblems(ajv, identified, schema);
      if (problems !== undefined) return refuse(...problems);
      return { ...base, validate: ajv.compile(identified), problems: [] };
    }, COMPILE_LIMIT_MS);
  } catch (error) {
    if (!(error instanceof WorkTooCostly)) return refuse(schemaProblem('', (error as Error).message.slice(0, 300)));
    return { ...refuse(schemaProblem('', 'the schema takes too long to compile')), timedOut: true };
  } finally {
    ajv.removeSchema(identified); // the validator remembers schemas by identity, for ever
  }
}

/** What its meta-schema says; undefined of a schema that is one. */
function metaProblems(ajv: Ajv, identified: Record<string, Json>, schema: Record<string, Json>): Problem[] | undefined {
  if (ajv.validateSchema(identified) === true) return undefined;
  return tellingErrors(ajv.errors ?? [])
    .slice(0, MAX_SCHEMA_PROBLEMS)
    .map((error) => inSchema(error, schema));
}
