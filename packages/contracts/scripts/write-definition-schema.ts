/** Writes schema/workflow.schema.json; a test fails when it is not up to date. */
import { writeFileSync } from 'node:fs';
import { definitionJsonSchemaText } from '../src/definition-schema.ts';

writeFileSync(new URL('../schema/workflow.schema.json', import.meta.url), definitionJsonSchemaText());
