import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { definitionJsonSchema, definitionJsonSchemaText } from './definition-schema.ts';

describe('the published JSON Schema of a definition', () => {
  test('is up to date (pnpm --filter @flotilla/contracts schema)', () => {
    const published = readFileSync(new URL('../schema/workflow.schema.json', import.meta.url), 'utf8');
    expect(published).toBe(definitionJsonSchemaText());
  });

  test('says how step ids look and which kinds there are', () => {
    const text = JSON.stringify(definitionJsonSchema());
    expect(text).toContain('"propertyNames":{"type":"string","pattern":"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"}');
    for (const kind of ['task', 'agent', 'http', 'delay', 'branch', 'map']) expect(text).toContain(`"const":"${kind}"`);
  });
});
