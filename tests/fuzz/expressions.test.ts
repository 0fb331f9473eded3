import { isFlotillaError, type Json } from '@flotilla/contracts';
import { compileExpression, compileTemplate, type Scope } from '@flotilla/engine';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperty } from '../model/seeded-property.ts';

/** Expressions come with definitions, from outside: they give data, or a typed error, in a bounded number of moves. */

const stepIndex = new Map([
  ['a', 0],
  ['b-c', 1],
]);
const list = Array.from({ length: 20_000 }, (_, index) => index);
/** As it comes from the network: what is named so is the object's own. */
const poison = JSON.parse('{"__proto__": {"polluted": true}, "nested": {"__proto__": {"polluted": true}}}') as Json;
const input: Json = {
  poison,
  n: 5,
  text: 'x'.repeat(200_000),
  list,
  nested: { deep: [1, { two: null }] },
  words: ['a', 'b'],
};
const scope: Scope = {
  run: { id: 'r', input },
  step: (index) => ({ status: index === 0 ? 'succeeded' : 'failed', output: { rows: list, 'a b': '"' } }),
  item: { name: 'item', value: { id: 1, tags: ['x'] }, index: 3 },
};
/** For what hangs, not a measure: a healthy evaluation ends in tens of milliseconds. */
const HANGS_MS = 5000;

const atom = fc.constantFrom(
  ...[
    'run.input.n',
    'run.input.text',
    'run.input.list',
    'run.input',
    'run.id',
    'steps.a.output.rows',
    'steps.a.status',
  ],
  ...[
    'steps["b-c"].error',
    'item',
    'item.tags',
    'index',
    'x',
    '1',
    '-1',
    '9223372036854775807',
    '1.5e308',
    '0',
    'null',
  ],
  ...['true', '"text"', "r'\\d+'", 'b"bytes"', '[1, 2]', '{"k": 1}', '[]', '{}', '"(a+)+$"', '"x".size()', 'dyn(1)'],
  ...['run.constructor', 'run.input.__proto__', 'steps.a.output.constructor', 'this', 'globalThis', 'process.env'],
);
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'expression' },
    atom,
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('+', '-', '*', '/', '%', '==', '<', '&&', '||', 'in', '>='),
        tie('expression'),
      )
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    fc
      .tuple(tie('expression'), fc.constantFrom('map', 'filter', 'all', 'exists', 'exists_one'), tie('expression'))
      .map(([over, macro, body]) => `${over}.${macro}(x, ${body})`),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('size', 'matches', 'contains', 'split', 'join', 'string', 'replace'),
        tie('expression'),
      )
      .map(([on, method, argument]) => `${on}.${method}(${argument})`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([one, two, three]) => `(${one} ? ${two} : ${three})`),
    fc.tuple(tie('expression'), tie('expression')).map(([of, at]) => `${of}[${at}]`),
    fc
      .tuple(
        fc.constantFrom('string', 'int', 'double', 'type', 'timestamp', 'duration', 'has', 'eval', 'Function'),
        tie('expression'),
      )
      .map(([call, of]) => `${call}(${of})`),
  ),
}));

const TOKENS = [
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '.',
  ',',
  '?',
  ':',
  '"',
  "'",
  '\\',
  '\u0000',
  '🚀',
  '\ud800',
  '$',
  '`',
  '//',
  '!',
  '-',
];
const soup = fc
  .array(fc.oneof(fc.constantFrom(...TOKENS), atom, fc.string({ maxLength: 4 })), { maxLength: 30 })
  .map((parts) => parts.join(''));

/** What sets something on a prototype where objects are made or merged carelessly. */
const POISONS = [
  '{"__proto__": {"polluted": true}}',
  '{"constructor": {"prototype": {"polluted": true}}}',
  '[{"__proto__": {"polluted": true}}].map(x, x)',
  '{"a": {"__proto__": {"polluted": true}}}.a',
  'run.input.poison',
  'run.input.poison.nested',
];

const PROTOTYPES = { Object, Array, Function, String, Number, Boolean, Map, Set, Promise, Error };
const AT = Object.getOwnPropertyDescriptor(Array.prototype, 'at')!;
const shared = Object.entries(PROTOTYPES).map(([name, { prototype }]) => {
  return { name, prototype: prototype as object, own: Object.getOwnPropertyDescriptors(prototype as object) };
});

/** What prototypes that everything shares have and had not at first, or have in another form. */
function findPolluted(): string[] {
  return shared.flatMap(({ name, prototype, own }) => {
    const before = own as Record<PropertyKey, PropertyDescriptor>;
    return Reflect.ownKeys(prototype)
      .filter(
        (key) => Object.getOwnPropertyDescriptor(prototype, key)?.value !== before[key]?.value || !(key in before),
      )
      .map((key) => `${name}.${String(key)}`);
  });
}

/** JSON whose objects have no prototype but the common one, or EXPRESSION_FAILED. */
function expectPlain(evaluate: () => Json): void {
  let value: Json;
  try {
    value = evaluate();
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    expect(error.code).toBe('EXPRESSION_FAILED');
    return;
  }
  const left: unknown[] = [value];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    expect([Object.prototype, Array.prototype, null]).toContain(Object.getPrototypeOf(one));
    left.push(...Object.values(one));
  }
}

function checkEvaluation(source: string): void {
  const before = process.threadCpuUsage();
  const compiled = compileExpression(source, { stepIndex, itemName: 'item' });
  if (compiled.ok) {
    try {
      const value = compiled.expression.evaluate(scope);
      // Data, and nothing that could act.
      expect(JSON.stringify(value)).not.toBeUndefined();
    } catch (error) {
      if (!isFlotillaError(error)) throw error;
      expect(error.code).toBe('EXPRESSION_FAILED');
      // The reason names no data.
      expect(error.message.length).toBeLessThan(700);
    }
  } else {
    expect(compiled.problems.length).toBeGreaterThan(0);
    for (const { code } of compiled.problems) expect(code).toMatch(/^EXPRESSION_/);
  }
  const { user, system } = process.threadCpuUsage(before);
  if ((user + system) / 1000 > HANGS_MS) throw new Error('the loop was held');
}

describe('an expression', () => {
  test('of any shape gives JSON or EXPRESSION_FAILED, on large data too', async () => {
    await checkProperty(expression, async (source) => checkEvaluation(source), { numRuns: 2500, timeLimitMs: 6000 });
  }, 90_000);

  test('of any characters is refused or evaluated, and never thrown at', async () => {
    await checkProperty(soup, async (source) => checkEvaluation(source), { numRuns: 3000, timeLimitMs: 3000 });
  }, 90_000);

  test.each(Array.from({ length: 5 }, (_, index) => index + 2))(
    'of %i nested walks over a long list is stopped by its cost',
    (depth) => {
      const macros = ['map', 'filter', 'all', 'exists', 'map', 'all'];
      let source = 'x == -1';
      for (let level = 0; level < depth; level += 1)
        source = `run.input.list.${macros[level]}(x, ${level === 0 ? source : `(${source}) == 7`})`;
      const compiled = compileExpression(source, { stepIndex });
      if (!compiled.ok) return expect(compiled.problems[0]?.code).toMatch(/^EXPRESSION_/);
      return expect(() => compiled.expression.evaluate(scope)).toThrow(
        expect.objectContaining({ code: 'EXPRESSION_FAILED' }),
      );
    },
  );

  test.each(['(', '[', '!', '-', 'a.', '{"a":', 'x ? '])('that repeats %j is refused, not overflown', (part) => {
    for (const times of [10, 1000, 4000]) checkEvaluation(part.repeat(times));
  });

  test('takes no code: what it leads to is data', () => {
    const sources = [
      'run.constructor',
      'steps.a.output.constructor("return 1")()',
      'run.input["__proto__"]',
      'eval("1")',
      'run.input.list.constructor',
      ...POISONS,
    ];
    for (const source of sources) checkEvaluation(source);
    expect(findPolluted()).toEqual([]);
  });

  test.each(POISONS)('that names a prototype gives it as data, if anything: %s', (source) => {
    const compiled = compileExpression(source, { stepIndex });
    if (compiled.ok) expectPlain(() => compiled.expression.evaluate(scope));
    expect(findPolluted()).toEqual([]);
  });
});

test('a property that was given to everything is noticed', () => {
  expect(findPolluted()).toEqual([]);
  Object.defineProperty(Object.prototype, 'polluted', { value: true, configurable: true });
  Object.defineProperty(Array.prototype, 'at', { value: () => 'mine', configurable: true, writable: true });
  try {
    expect(findPolluted()).toEqual(['Object.polluted', 'Array.at']);
    expect(() => expectPlain(() => Object.create({ polluted: true }) as Json)).toThrow();
  } finally {
    Reflect.deleteProperty(Object.prototype, 'polluted');
    Object.defineProperty(Array.prototype, 'at', AT);
  }
  expect(findPolluted()).toEqual([]);
});

describe('a template', () => {
  test('of any value with any expressions inside resolves to JSON or tells EXPRESSION_FAILED', async () => {
    const text = fc.oneof(soup, expression).map((source) => `a \${{ ${source} }} b`);
    const value = fc.oneof(
      text,
      fc.array(text, { maxLength: 3 }),
      fc.dictionary(fc.string({ maxLength: 4 }), text, { maxKeys: 3 }),
    );
    await checkProperty(
      value,
      async (given) => {
        const compiled = compileTemplate(given as Json, { stepIndex, itemName: 'item' });
        if (!compiled.ok) return expect(compiled.problems.length).toBeGreaterThan(0);
        try {
          return expect(JSON.stringify(compiled.template.resolve(scope))).not.toBeUndefined();
        } catch (error) {
          if (!isFlotillaError(error)) throw error;
          return expect(error.code).toBe('EXPRESSION_FAILED');
        }
      },
      { numRuns: 1000, timeLimitMs: 3000 },
    );
  }, 90_000);
});
