import { z } from 'zod';
import { definitionZ } from './definition.ts';
import { ID_PATTERN, idZ } from './ids.ts';

/**
 * The JSON Schema (draft 2020-12) of a workflow definition, for editors and other tools. It says what the form is; what
 * a definition means (references, cycles, expressions) only the compiler knows. Published as
 * `packages/contracts/schema/workflow.schema.json`.
 */
export function definitionJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(definitionZ, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      // A refinement has no JSON Schema of its own; the pattern says all but the few forbidden names.
      if ((zodSchema as unknown) === idZ) jsonSchema.pattern = ID_PATTERN.source;
    },
  });
  return { ...schema, title: 'Flotilla workflow', description: 'A workflow definition, format version 1' };
}

/** The published file's text. */
export function definitionJsonSchemaText(): string {
  return `${JSON.stringify(definitionJsonSchema(), null, 2)}\n`;
}
