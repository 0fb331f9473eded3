import type { Json } from '@flotilla/contracts';
import { compileWorkflow } from '@flotilla/engine';
import { describe, expect, test } from '@jest/globals';
import { InputSchemas } from './input-schemas.ts';

const schemas = new InputSchemas();

function planWith(input: object) {
  const steps = { a: { kind: 'delay', forMs: 1 } };
  const compiled = compileWorkflow({ flotilla: 1, name: 'w', input, steps });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

/** Processor time: others may use the machine, too. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function check(schema: object, input: Json) {
  const plan = planWith(schema);
  expect(await schemas.schemaProblems(plan, { remember: true })).toEqual([]);
  const problems = await schemas.check(plan, input, JSON.stringify(input).length);
  return problems.map(({ code, path }) => `${code} ${path}`);
}

describe('InputSchemas', () => {
  test.each<[string, object, Json, string[]]>([
    ['a missing property', { required: ['a', 'b'] }, {}, ['INPUT_INVALID /input/a', 'INPUT_INVALID /input/b']],
    ['an inherited property as missing', { required: ['toString'] }, {}, ['INPUT_INVALID /input/toString']],
    ['a property too many', { additionalProperties: false }, { 'x/y': 1 }, ['INPUT_INVALID /input/x~1y']],
    ['a property not evaluated', { unevaluatedProperties: false }, { x: 1 }, ['INPUT_INVALID /input/x']],
    ['a wrong item', { items: { type: 'string' } }, ['a', 1], ['INPUT_INVALID /input/1']],
    ['nothing in what fits', { type: 'object', properties: { n: { minimum: 1 } } }, { n: 1 }, []],
    ['nothing in a format, which only describes', { format: 'email' }, 'nobody', []],
    ['what a pattern refuses', { pattern: '^\\d{3}$' }, '12', ['INPUT_INVALID /input']],
    ['nothing in what a pattern takes', { pattern: '\\u0041\\/\\d+' }, 'xA/7', []],
    [
      'a wrong descendant',
      { properties: { c: { items: { $ref: '#' } } }, type: 'object' },
      { c: [1] },
      ['INPUT_INVALID /input/c/0'],
    ],
    [
      'what draft-07 says',
      { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }], additionalItems: false },
      ['a', 1],
      ['INPUT_INVALID /input'],
    ],
  ])('finds %s', async (_what, schema, input, expected) => {
    expect(await check(schema, input)).toEqual(expected);
  });

  test.each<[string, object]>([
    ['an unknown type', { type: 'nope' }],
    ['a reference to elsewhere', { $ref: 'https://example.org/schema' }],
    ['a lookahead', { pattern: '(?=a)' }],
    ['a back reference', { patternProperties: { '(a)\\1': {} } }],
    ['another draft', { $schema: 'http://json-schema.org/draft-04/schema#' }],
    ['$async', { $async: true }],
    ['a schema that is very long', { description: 'x'.repeat(300_000) }],
  ])('refuses %s with a pointer into the definition', async (_what, schema) => {
    const problems = await schemas.schemaProblems(planWith(schema), { remember: false });
    expect(problems.length).toBeGreaterThan(0);
    for (const { code, path } of problems) {
      expect(code).toBe('INPUT_SCHEMA_INVALID');
      expect(path).toMatch(/^\/input/);
    }
  });

  const branching = {
    $defs: {
      node: {
        anyOf: ['x', 'y'].map((name) => ({ properties: { a: { $ref: '#/$defs/node' } }, required: [name] })),
      },
    },
    $ref: '#/$defs/node',
  };
  const deep = JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`) as Json;

  test.each<[string, object, Json]>([
    ['a schema that branches at every level', branching, deep],
    ['unique items that are objects', { uniqueItems: true }, Array.from({ length: 60_000 }, (_, index) => ({ index }))],
    ['a schema that is only itself', { $ref: '#' }, 1],
  ])('gives up on %s instead of holding the event loop', async (_what, schema, input) => {
    const before = process.cpuUsage();
    expect(await check(schema, input)).toEqual(['INPUT_CHECK_TOO_COSTLY /input']);
    expect(cpuMsSince(before)).toBeLessThan(1000);
  });

  test('checks a pattern that would backtrack for ever in linear time', async () => {
    const before = process.cpuUsage();
    expect(await check({ pattern: '^(a+)+$' }, `${'a'.repeat(2000)}b`)).toEqual(['INPUT_INVALID /input']);
    expect(cpuMsSince(before)).toBeLessThan(500);
  });

  test('two schemas with the same $id are two schemas', async () => {
    expect(await check({ $id: 'https://example.org/s', type: 'object' }, {})).toEqual([]);
    expect(await check({ $id: 'https://example.org/s', type: 'array' }, {})).toEqual(['INPUT_INVALID /input']);
  });
});

describe('messages of schemas', () => {
  test('a type that there is not is told with those that there are', async () => {
    const plan = planWith({ type: 'object', properties: { a: { type: 'strin' } } });
    const problems = await schemas.schemaProblems(plan, { remember: false });
    expect(problems).toEqual([
      {
        code: 'INPUT_SCHEMA_INVALID',
        path: '/input/properties/a/type',
        message: 'strin is not one of array, boolean, integer, null, number, object, string (did you mean string?)',
      },
    ]);
  });

  test('a value that is not allowed is told with those that are', async () => {
    const plan = planWith({ type: 'object', properties: { plan: { enum: ['gold', 'silver'] } } });
    expect(await schemas.check(plan, { plan: 'glod' }, 10)).toEqual([
      { code: 'INPUT_INVALID', path: '/input/plan', message: 'must be one of "gold", "silver"' },
    ]);
  });
});
