import type { Json } from '@flotilla/contracts';
import { FlotillaError } from '@flotilla/contracts';
import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { compileExpression, evaluateCondition } from './evaluate-expression.ts';
import type { Expression, Scope, ScopeStep } from './plan.ts';

const stepIndex = new Map([
  ['a', 0],
  ['b-c', 1],
  ['d.e', 2],
]);

function compile(source: string, itemName?: string): Expression {
  const compiled = compileExpression(source, { stepIndex, itemName });
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problems.map(({ message }) => message).join('; ')}`);
  return compiled.expression;
}

function problemsOf(source: string, itemName?: string) {
  const compiled = compileExpression(source, { stepIndex, itemName });
  return compiled.ok ? [] : compiled.problems;
}

const input: Json = {
  n: 7,
  half: 0.5,
  text: 'abc',
  nothing: null,
  flag: true,
  list: [1, 2, 3],
  people: [{ name: 'Ada', age: 36 }, { name: 'Bob' }],
  nested: { a: { b: 1 } },
};

function scopeOf(runInput: Json = input, steps: Record<number, ScopeStep> = {}): Scope {
  return {
    run: { id: '07-run', input: runInput },
    step: (index) => steps[index] ?? { status: 'succeeded', output: { v: index } },
  };
}

const evaluate = (source: string, runInput?: Json) => compile(source).evaluate(scopeOf(runInput));

function failureOf(source: string, runInput?: Json): FlotillaError {
  try {
    evaluate(source, runInput);
  } catch (error) {
    if (error instanceof FlotillaError) return error;
    throw error;
  }
  throw new Error(`${source} did not fail`);
}

describe('expressions give JSON', () => {
  test.each<[string, Json]>([
    ['run.input.n + 1', 8],
    ['run.input.n * 0.5', 3.5],
    ['run.input.n / 2', 3.5],
    ['run.input.n % 2 == 1', true],
    ['-run.input.n', -7],
    ['7 / 2', 3],
    ['1 + 0.5', 1.5],
    ['1 == 1.0', true],
    ['run.input.n == 7', true],
    ['7 == run.input.n', true],
    ['run.input.n in [1, 7]', true],
    ['run.input.half < 1', true],
    ['size(run.input.list)', 3],
    ['run.input.list[0]', 1],
    ['run.input.list[run.input.list[0]]', 2],
    ['run.input.list[size(run.input.list) - 1]', 3],
    ['run.input.list.map(x, x * 2)', [2, 4, 6]],
    ['run.input.list.filter(x, x > 1)', [2, 3]],
    ['run.input.list.filter(x, x > 1).map(x, x + 1)', [3, 4]],
    [
      'run.input.list.map(x, run.input.list.map(y, x * y))',
      [
        [1, 2, 3],
        [2, 4, 6],
        [3, 6, 9],
      ],
    ],
    ['run.input.list.exists(x, x == 2)', true],
    ['run.input.list.all(x, x > 1)', false],
    ['run.input.list.exists_one(x, x > 2)', true],
    ['run.input.people.filter(p, has(p.age)).map(p, p.name)', ['Ada']],
    ['run.input.list + [4]', [1, 2, 3, 4]],
    ['run.input.list == [1, 2, 3]', true],
    ['run.input.nested == {"a": {"b": 1}}', true],
    ['"n" in run.input', true],
    ['"zz" in run.input', false],
    ['run.input["text"] + "d"', 'abcd'],
    ['run.input.text.startsWith("a") && run.input.text.size() == 3', true],
    ['run.input.text.substring(run.input.list[0])', 'bc'],
    ['run.input.text.substring(0, run.input.list[1])', 'ab'],
    ['run.input.text.matches("^a.c$")', true],
    ['string(run.input.n) + "x"', '7x'],
    ['run.input.flag ? 1 : 2.5', 1],
    ['run.input.flag ? "yes" : null', 'yes'],
    ['run.input.nothing == null', true],
    ['null == run.input.nothing', true],
    ['run.input.n == "7"', false],
    ['{"a": {"b": [1, 2.5, "c", null]}}', { a: { b: [1, 2.5, 'c', null] } }],
    ['cel.bind(x, run.input.n, x * x)', 49],
    ['timestamp("2024-01-01T00:00:00Z")', '2024-01-01T00:00:00.000Z'],
    ['duration("90s")', '90s'],
    ['b"abc"', 'YWJj'],
    ['run.id', '07-run'],
    ['run.input.nested', { a: { b: 1 } }],
    ['steps.a.output.v', 0],
    ['steps["b-c"].output.v + 1', 2],
    ['steps["d.e"].status', 'succeeded'],
    ['has(run.input.nope)', false],
    ['has(run.input.nested.a)', true],
    ['has(steps["b-c"].output.v)', true],
    ['has(steps.a.error)', false],
    ['run.input.nope.deeper || true', true],
  ])('%s', (source, expected) => {
    const expression = compile(source);
    expect(expression.evaluate(scopeOf())).toEqual(expected);
    // The second evaluation takes paths that the first one has prepared.
    expect(expression.evaluate(scopeOf())).toEqual(expected);
  });

  test('in a map, of the item under its name and of its index', () => {
    const scope = { ...scopeOf(), item: { name: 'it', value: { x: 5 }, index: 2 } };
    expect(compile('it.x * 10 + index', 'it').evaluate(scope)).toBe(52);
    expect(compile('[1, 2, 3][index]', 'it').evaluate(scope)).toBe(3);
    expect(problemsOf('it.x')).toHaveLength(1);
  });

  test('a skipped step has a null output, a failed one its error', () => {
    const error = { code: 'EACCES', message: 'no' };
    const steps = { 0: { status: 'skipped', output: null }, 1: { status: 'failed', output: null, error } };
    expect(compile('steps.a.output == null').evaluate(scopeOf({}, steps))).toBe(true);
    expect(compile('has(steps.a.output.v)').evaluate(scopeOf({}, steps))).toBe(false);
    expect(compile('steps["b-c"].error.code').evaluate(scopeOf({}, steps))).toBe('EACCES');
  });
});

describe('expressions fail with the source and the reason, never with data', () => {
  test.each([
    ['run.input.nope', 'there is no key "nope"'],
    ['run.input.nested.a.c', 'there is no key "c"'],
    ['run.input.nothing.x', 'there is no key "x"'],
    ['run.input[run.input.text]', 'there is no key of the computed name'],
    ['run.input.list[3]', 'the list has no such position'],
    ['run.input.list[0.5 + 0]', 'the list has no such position'],
    ['run.input.n / 0', 'it divides by zero'],
    ['run.input.n % 0', 'it divides by zero'],
    ['1 / 0', 'division by zero'],
    ['9007199254740993', 'the result is an integer beyond what JSON numbers hold exactly'],
    ['9223372036854775807 + 1', 'numeric overflow'],
    ['1.0 / 0.0', 'the result is not a finite number'],
    ['run.input.text + 1', 'no such overload'],
    ['run.input.n ? 1 : 2', 'must be bool'],
    ['int(run.input.text)', 'int conversion error'],
    ['bool(run.input.text)', 'bool conversion error'],
    ['duration(run.input.text)', 'invalid duration'],
    ['"x".matches(run.input.text + "(")', 'not a regular expression of RE2'],
    ['run.input.text.substring(9)', 'index out of range'],
    ['timestamp("2024-01-01T00:00:00Z").getHours(run.input.text)', 'it could not be evaluated'],
    ['int', 'the result has no JSON form'],
    ['type(1)', 'the result has no JSON form'],
    ['cel', 'the result has no JSON form'],
  ])('%s', (source, reason) => {
    const failure = failureOf(source);
    expect(failure.code).toBe('EXPRESSION_FAILED');
    expect(failure.message).toContain(source);
    expect(failure.message).toContain(reason);
    expect(failure.message.replace(source, '')).not.toContain('abc');
  });

  test('a condition that is neither true nor false fails', () => {
    expect(evaluateCondition(compile('run.input.flag'), scopeOf())).toBe(true);
    expect(() => evaluateCondition(compile('run.input.n'), scopeOf())).toThrow('must be true or false');
  });

  test('what a reader of outputs throws is passed on', () => {
    const corrupt = new FlotillaError('DATA_CORRUPTION', 'the checkpoint is corrupt');
    const scope: Scope = {
      ...scopeOf(),
      step: () => {
        throw corrupt;
      },
    };
    expect(() => compile('steps.a.output').evaluate(scope)).toThrow(corrupt);
  });
});

describe('compiling an expression', () => {
  test.each([
    ['1 +', 'EXPRESSION_INVALID'],
    ['foo', 'EXPRESSION_INVALID'],
    ['"a" + 1', 'EXPRESSION_INVALID'],
    ['run', 'EXPRESSION_INVALID'],
    ['run.output', 'EXPRESSION_INVALID'],
    ['steps', 'EXPRESSION_INVALID'],
    ['size(steps)', 'EXPRESSION_INVALID'],
    ['steps[run.input.text].output', 'EXPRESSION_INVALID'],
    ['steps.a.result', 'EXPRESSION_INVALID'],
    ['steps.x.output', 'UNKNOWN_STEP'],
    ['steps["constructor"].output', 'UNKNOWN_STEP'],
    ['[1].map(steps, steps)', 'EXPRESSION_INVALID'],
    ['[1].map(run, run)', 'EXPRESSION_INVALID'],
    ['"x".matches("(")', 'EXPRESSION_INVALID'],
    ['"x".matches("(?=a)")', 'EXPRESSION_INVALID'],
    [`${'!'.repeat(3000)}true`, 'EXPRESSION_TOO_COMPLEX'],
    ['('.repeat(2000), 'EXPRESSION_TOO_COMPLEX'],
    [`1${'+1'.repeat(500)}`, 'EXPRESSION_TOO_COMPLEX'],
    ['['.repeat(100) + ']'.repeat(100), 'EXPRESSION_TOO_COMPLEX'],
    [`"${'x'.repeat(5000)}"`, 'EXPRESSION_TOO_COMPLEX'],
  ])('reports %.60s', (source, code) => {
    expect(problemsOf(source).map((problem) => problem.code)).toContain(code);
  });

  test('says at which character', () => {
    expect(problemsOf('run.input.n + foo')).toEqual([
      expect.objectContaining({ code: 'EXPRESSION_INVALID', position: 14 }),
    ]);
  });

  test('tells what it reads, ascending and each once', () => {
    const expression = compile('steps["d.e"].output.x + steps.a.output.x + steps.a.output.y');
    expect(expression.reads).toEqual([0, 2]);
    expect(expression.readsRunInput).toBe(false);
    expect(compile('[1].map(x, run.input.n)').readsRunInput).toBe(true);
  });

  test('asks the scope for nothing but what is evaluated', () => {
    const step = jest.fn((index: number): ScopeStep => ({ status: 'succeeded', output: { v: index } }));
    const scope = { ...scopeOf(), step };
    compile('run.input.flag ? steps.a.output.v : steps["b-c"].output.v').evaluate(scope);
    expect(step.mock.calls).toEqual([[0]]);
  });

  test('is repeatable: the same source compiled twice evaluates apart', () => {
    const [one, two] = [compile('steps.a.output.v'), compile('steps.a.output.v')];
    const nested: Scope = {
      ...scopeOf(),
      step: () => ({ status: 'succeeded', output: { v: two.evaluate(scopeOf()) } }),
    };
    expect(one.evaluate(nested)).toBe(0);
  });
});

describe('there is no way from data to a prototype', () => {
  const names = [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'valueOf',
    'length',
    '__defineGetter__',
  ];
  const holders = [
    'run.input',
    'run.input.text',
    'run.input.list',
    'run.input.n',
    'run.input.flag',
    'steps.a.output',
    '"x"',
    '[1]',
    '{"a": 1}',
  ];

  test.each(names)('%s of anything is no key', (name) => {
    for (const holder of holders) {
      for (const source of [`${holder}["${name}"]`, `${holder}["${name}"]["${name}"]`]) {
        const problems = problemsOf(source);
        if (problems.length === 0) expect(failureOf(source).code).toBe('EXPRESSION_FAILED');
      }
    }
  });

  test('data with a key named constructor is data like any other', () => {
    const text = '{"races":[{"constructor":"Lotus","place":1},{"place":2}],"constructor":"F1"}';
    const races = JSON.parse(text) as { [key: string]: Json };
    expect(evaluate('run.input.constructor', races)).toBe('F1');
    expect(evaluate('run.input.races.filter(r, has(r.constructor)).map(r, r.constructor)', races)).toEqual(['Lotus']);
    expect(evaluate('run.input.races.map(r, r.place)', races)).toEqual([1, 2]);
    expect(evaluate('run.input.races', races)).toEqual(races['races']);
    expect(evaluate('size(run.input)', races)).toBe(2);
  });

  test('random chains of accesses never give a function or change a prototype', () => {
    const key = fc.constantFrom(...names, 'a', 'b', 'list', '0');
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    fc.assert(
      fc.property(fc.constantFrom(...holders), fc.array(key, { maxLength: 5 }), (holder, keys) => {
        const source = holder + keys.map((name) => `[${JSON.stringify(name)}]`).join('');
        if (problemsOf(source).length > 0) return;
        try {
          expect(JSON.parse(JSON.stringify(evaluate(source)))).toEqual(evaluate(source));
        } catch (error) {
          expect(error).toBeInstanceOf(FlotillaError);
        }
      }),
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(before);
  });

  test('random source text compiles or gives problems, and evaluates to JSON or fails typed', () => {
    const token = fc.constantFrom(
      ...'run.input steps.a.output . [ ] ( ) { } , : ? + - * / % == != < > <= && || ! in "a" 1 2.5 null true x map filter has size __proto__ constructor cel bind'.split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 14 }), (tokens) => {
        const compiled = compileExpression(tokens.join(' '), { stepIndex });
        if (!compiled.ok) {
          expect(compiled.problems.length).toBeGreaterThan(0);
          return;
        }
        try {
          const value = compiled.expression.evaluate(scopeOf());
          expect(JSON.parse(JSON.stringify(value))).toEqual(value);
        } catch (error) {
          expect(error).toBeInstanceOf(FlotillaError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the cost of an evaluation is bounded', () => {
  const big: Json = { list: Array.from({ length: 100_000 }, (_, index) => index), text: 'a'.repeat(200_000) };

  test('a pass over a list of 100,000 is within it', () => {
    expect(evaluate('size(run.input.list.map(x, x * 2))', big)).toBe(100_000);
  });

  test.each([
    'run.input.list.map(x, run.input.list.map(y, y))',
    'run.input.list.all(x, run.input.list.all(y, y >= 0))',
    'run.input.list.exists(x, run.input.list.exists(y, y < 0) || x < 0)',
    'run.input.list.filter(x, x in run.input.list)',
    'run.input.list.filter(x, run.input.list == [x])',
    'run.input.list.map(x, run.input.text + run.input.text)',
    'run.input.list.map(x, run.input.text.matches("(a|b|ab)*c"))',
    'run.input.list.exists(x, "b".matches(string(x) + "(a|b|c){500}d"))',
    'run.input.list.map(x, size(run.input.text.split("")))',
    'run.input.list.map(x, string(x)).join(run.input.text)',
    'run.input.list + run.input.list',
    'run.input.list.exists(x, timestamp("2024-01-01T00:00:00Z").getHours("Europe/Vienna") == 99)',
  ])('%s is stopped', (source) => {
    const start = process.cpuUsage();
    expect(failureOf(source, big).message).toMatch(/more work than|longer than/);
    // Far above what it takes, far below what it would take unbounded. Processor time: others may use the machine, too.
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  test('doubling a text again and again is stopped', () => {
    let source = '"0123456789abcdef"';
    for (let level = 0; level < 25; level += 1) source = `cel.bind(v${level}, ${source}, v${level} + v${level})`;
    expect(failureOf(source).message).toContain('longer than');
  });

  test('an error that || forgives does not hide that the work was too much', () => {
    expect(failureOf('run.input.list.all(x, run.input.list.all(y, y >= 0)) || true', big).message).toContain(
      'more work',
    );
  });
});
