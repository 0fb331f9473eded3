import { didYouMean, type Json, type Problem, pointerToken } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { loopTurns } from '@flotilla/state';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { linearPattern } from './linear-pattern.ts';
import { runBounded, runUnbounded, WorkTooCostly } from './run-bounded.ts';

/**
 * Checks the input of a run against the JSON Schema of its workflow (2020-12, or draft-07 when `$schema` says so).
 * Schemas come from outside, so: patterns are linear, `$ref` stays inside the schema, prototypes are not properties, and
 * neither compiling nor checking can hold the event loop. `format` only describes, as 2020-12 has it.
 */
const MAX_SCHEMA_CHARACTERS = 262_144;
const COMPILE_LIMIT_MS = 150;
const CHECK_LIMIT_MS = 50;
const MAX_PROBLEMS = 100;
/** Characters of schema times characters of input: below this a schema without costly keywords cannot take long. */
const SMALL_WORK = 4_000_000;
const COSTLY_KEYWORD = /"(?:\$ref|\$dynamicRef|uniqueItems|pattern|patternProperties)"/;

interface CompiledSchema {
  validate: ValidateFunction | undefined;
  /** Why the schema cannot be used; pointers into the definition. */
  problems: readonly Problem[];
  characters: number;
  costly: boolean;
  /** Refused for the time it took, by the clock on the wall. */
  tookTooLong?: boolean;
}

/** Compiled schemas are remembered up to this: each is a function of some dozens of times its text. */
const MAX_COMPILED_BYTES = 67_108_864;
const BYTES_PER_CHARACTER = 40;
const BYTES_PER_SCHEMA = 10_000;

export class InputSchemas {
  readonly #compiled = new LRUCache<string, CompiledSchema>({
    maxSize: MAX_COMPILED_BYTES,
    sizeCalculation: ({ characters }) => BYTES_PER_SCHEMA + characters * BYTES_PER_CHARACTER,
  });

  /** What is wrong with the schema itself; pointers into the definition, under `/input`. */
  schemaProblems(plan: Plan, { remember }: { remember: boolean }): Promise<readonly Problem[]> {
    return loopTurns.run(() => this.#of(plan, remember)?.problems ?? []);
  }

  /** What is wrong with an input; pointers under `/input`. Empty for a workflow without a schema. */
  check(plan: Plan, input: Json, inputCharacters: number): Promise<Problem[]> {
    return loopTurns.run(() => this.#check(plan, input, inputCharacters));
  }

  #check(plan: Plan, input: Json, inputCharacters: number): Problem[] {
    const compiled = this.#of(plan, true);
    if (compiled?.validate === undefined) return [];
    const { validate, characters, costly } = compiled;
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

  #of(plan: Plan, remember: boolean): CompiledSchema | undefined {
    const schema = plan.definition.input;
    if (schema === undefined) return undefined;
    let compiled = this.#compiled.get(plan.hash);
    if (compiled === undefined) {
      const result = this.#compile(schema);
      compiled = result;
      // A slow moment of the machine is not the schema's fault for ever.
      if (remember && !result.tookTooLong) this.#compiled.set(plan.hash, result);
    }
    return compiled;
  }

  #compile(schema: Record<string, Json>): CompiledSchema {
    const text = JSON.stringify(schema);
    const base = { characters: text.length, costly: COSTLY_KEYWORD.test(text), validate: undefined };
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
        if (ajv.validateSchema(identified) !== true)
          return refuse(
            ...tellingErrors(ajv.errors ?? [])
              .slice(0, 20)
              .map((error) => inSchema(error, schema)),
          );
        return { ...base, validate: ajv.compile(identified), problems: [] };
      }, COMPILE_LIMIT_MS);
    } catch (error) {
      if (!(error instanceof WorkTooCostly)) return refuse(schemaProblem('', (error as Error).message.slice(0, 300)));
      return { ...refuse(schemaProblem('', 'the schema takes too long to compile')), tookTooLong: true };
    } finally {
      ajv.removeSchema(identified); // the validator remembers schemas by identity, for ever
    }
  }
}

let validators: { draft07: Ajv; draft2020: Ajv2020 } | undefined;

/** Reads the meta-schemas, some 100 ms of work: done when a server begins to listen rather than at its first run. */
export function prepareValidators(): { draft07: Ajv; draft2020: Ajv2020 } {
  if (validators === undefined) {
    validators = { draft07: new Ajv(OPTIONS), draft2020: new Ajv2020(OPTIONS) };
    // The meta-schema is compiled when it is first used: that must not be counted as the time of somebody's schema.
    for (const validator of Object.values(validators)) validator.compile({ type: 'object' });
  }
  return validators;
}

function validatorFor(schema: Record<string, Json>): Ajv | Ajv2020 | undefined {
  const { draft07, draft2020 } = prepareValidators();
  const { $schema } = schema;
  if ($schema === undefined) return draft2020;
  if (typeof $schema !== 'string') return undefined;
  if (/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/.test($schema)) return draft2020;
  if (/^https?:\/\/json-schema\.org\/draft-07\/schema#?$/.test($schema)) return draft07;
  return undefined;
}

const OPTIONS = {
  allErrors: true,
  strict: false,
  validateFormats: false,
  addUsedSchema: false,
  ownProperties: true,
  logger: false as const,
  code: { regExp: linearPattern },
};

function schemaProblem(path: string, message: string): Problem {
  return { code: 'INPUT_SCHEMA_INVALID', path: `/input${path}`, message };
}

/** Where a value is not one of those allowed, that is what to say: what else it could have been follows from it. */
function tellingErrors(errors: readonly ErrorObject[]): ErrorObject[] {
  const named = new Set(
    errors.filter((error) => allowedValues(error) !== undefined).map(({ instancePath }) => instancePath),
  );
  return errors.filter((error) => allowedValues(error) !== undefined || !named.has(error.instancePath));
}

function inSchema(error: ErrorObject, schema: Json): Problem {
  const value = error.instancePath.split('/').slice(1).reduce<unknown>(memberOf, schema);
  const allowed = allowedValues(error)?.map(String);
  if (allowed === undefined)
    return schemaProblem(error.instancePath.slice(0, 1024), error.message ?? 'not a JSON Schema');
  const written = String(value).slice(0, 100);
  const message = `${written} is not one of ${allowed.join(', ')}${didYouMean(written, allowed)}`;
  return schemaProblem(error.instancePath.slice(0, 1024), message);
}

function memberOf(holder: unknown, token: string): unknown {
  return (holder as Record<string, unknown> | undefined)?.[token.replaceAll('~1', '/').replaceAll('~0', '~')];
}

function allowedValues({ params }: ErrorObject): readonly unknown[] | undefined {
  const { allowedValues: values } = params as { allowedValues?: unknown };
  return Array.isArray(values) ? values : undefined;
}

function toProblem(error: ErrorObject): Problem {
  const { missingProperty, additionalProperty, unevaluatedProperty } = error.params as Record<string, unknown>;
  const property = missingProperty ?? additionalProperty ?? unevaluatedProperty;
  const token = typeof property === 'string' ? `/${pointerToken(property.slice(0, 256))}` : '';
  const path = `/input${error.instancePath.slice(0, 1024)}${token}`;
  const allowed = allowedValues(error)?.map((value) => JSON.stringify(value));
  const message = allowed === undefined ? (error.message ?? error.keyword) : `must be one of ${allowed.join(', ')}`;
  return { code: 'INPUT_INVALID', path, message: message.slice(0, 300) };
}
