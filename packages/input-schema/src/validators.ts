import type { Json } from '@flotilla/contracts';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { linearPattern } from './linear-pattern.ts';

const OPTIONS = {
  allErrors: true,
  strict: false,
  validateFormats: false,
  addUsedSchema: false,
  ownProperties: true,
  logger: false as const,
  code: { regExp: linearPattern },
};

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

/** Undefined of a draft that is not supported. */
export function validatorFor(schema: Record<string, Json>): Ajv | Ajv2020 | undefined {
  const { draft07, draft2020 } = prepareValidators();
  const { $schema } = schema;
  if ($schema === undefined) return draft2020;
  if (typeof $schema !== 'string') return undefined;
  if (/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/.test($schema)) return draft2020;
  if (/^https?:\/\/json-schema\.org\/draft-07\/schema#?$/.test($schema)) return draft07;
  return undefined;
}
