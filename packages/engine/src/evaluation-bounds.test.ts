import { isFlotillaError, type Json } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { chooseBranch } from './choose-branch.ts';
import { compileWorkflow } from './compile-workflow.ts';
import { compileExpression } from './evaluate-expression.ts';
import type { Scope } from './plan.ts';
import { resolveMapItems } from './resolve-map-items.ts';
import { compileTemplate } from './template.ts';

/** How long what is refused takes, and what it does to the heap, is measured in a process of its own: tests/fuzz. */
const list = Array.from({ length: 20_000 }, () => 0);
const obj = Object.fromEntries(Array.from({ length: 15_000 }, (_, index) => [`k${index}`, 1]));
const input: Json = {
  list,
  obj,
  text: 'a'.repeat(200_000),
  needle: `${'a'.repeat(50_000)}b${'a'.repeat(50_000)}`,
  digits: '1'.repeat(3000),
  rows: Array.from({ length: 200 }, (_, index) => `${'\\pL'.repeat(150)}${index}`),
};
const scope: Scope = { run: { id: 'r', input }, step: () => ({ status: 'succeeded', output: null }) };
const names = { stepIndex: new Map<string, number>() };
/** The same data twenty thousand times: 194 KB of input, gigabytes of result. */
const BOMB = 'run.input.list.map(x, {"x": run.input.obj})';

interface Outcome {
  value?: unknown;
  code?: string;
  message?: string;
}

function attempt(work: () => unknown): Outcome {
  try {
    return { value: work() };
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

function expectRefused({ code }: Outcome): void {
  expect(code).toBe('EXPRESSION_FAILED');
}

function evaluate(source: string): Outcome {
  const compiled = compileExpression(source, names);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  return attempt(() => compiled.expression.evaluate(scope));
}

function resolve(value: Json): Outcome {
  const compiled = compileTemplate(value, names);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  return attempt(() => compiled.template.resolve(scope));
}

describe('what follows an evaluation is bounded', () => {
  test('a result that names the same data many times counts each of them', () => {
    expectRefused(evaluate(BOMB));
    expectRefused(resolve(`\${{ ${BOMB} }}`));
    expectRefused(resolve({ deep: [`\${{ ${BOMB} }}`] }));
    expectRefused(resolve(`as text: \${{ ${BOMB} }}`));
  });

  test('the items of a map count like any result', () => {
    const compiled = compileExpression(BOMB, names);
    if (!compiled.ok) throw new Error('does not compile');
    const map = {
      over: compiled.expression,
      ...{
        mode: 'map' as const,
        count: undefined,
        decide: 'all' as const,
        until: undefined,
        turns: undefined,
        maxIterations: 1,
      },
      as: 'item',
      concurrency: 1,
      toleratedFailures: 0,
    };
    expectRefused(attempt(() => resolveMapItems(map, scope)));
  });

  test('a condition that only counts what it built is not converted and passes', () => {
    expect(evaluate(`size(${BOMB}) > 1`)).toMatchObject({ value: true });
  });

  test('plain reads are measured too: ten thousand of the same object are refused', () => {
    expectRefused(resolve(Array.from({ length: 10_000 }, () => '${{ run.input.obj }}')));
    expectRefused(resolve(Array.from({ length: 10_000 }, () => 'x ${{ run.input.obj }}')));
  });

  test('data within the limits passes as it is', () => {
    expect(resolve({ all: '${{ run.input.obj }}', list: '${{ run.input.list }}' }).value).toEqual({ all: obj, list });
    expect(evaluate('run.input.list.map(x, {"x": x})').value).toHaveLength(20_000);
  });

  test.each([
    ['too many values', 'run.input.list.map(x, [x, x, x, x, x, x, x, x, x, x, x, x, x])'],
    ['too many characters', 'run.input.list.map(x, run.input.text)'],
  ])('%s are named as the reason', (_, source) => {
    expect(evaluate(source).message).toContain(
      'the result is larger than 4194304 characters or 200000 keys and values',
    );
  });
});

describe('what is evaluated together shares one allowance', () => {
  const costly = 'run.input.list.all(x, x == 0)';

  test('one costly expression passes, ten thousand in one template do not', () => {
    expect(evaluate(costly).value).toBe(true);
    const together = resolve(Array.from({ length: 10_000 }, () => `\${{ ${costly} }}`));
    expectRefused(together);
    expect(together.message).toContain('the expressions beside it');
  });

  test('the cases of a branch share one', () => {
    const cases = Array.from({ length: 50 }, () => ({ when: 'run.input.list.all(x, x == 0) == false', to: 'b' }));
    const compiled = compileWorkflow({
      flotilla: 1,
      name: 'branching',
      steps: { a: { kind: 'branch', cases }, b: { kind: 'task', use: 'x' } },
    });
    if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
    expectRefused(attempt(() => chooseBranch(compiled.plan.steps[0]!, scope)));
  });

  test('the next template begins with a whole allowance', () => {
    const compiled = compileTemplate([`\${{ ${costly} }}`, `\${{ ${costly} }}`], names);
    if (!compiled.ok) throw new Error('does not compile');
    for (let time = 0; time < 100; time += 1) expect(compiled.template.resolve(scope)).toEqual([true, true]);
  });
});

describe('a call of a function costs what it does', () => {
  test.each([
    ['a search that compares all of the needle at each position', 'run.input.text.contains(run.input.needle)'],
    ['the same for a position', 'run.input.text.indexOf(run.input.needle) > 0'],
    ['the same from the end', 'run.input.text.lastIndexOf(run.input.needle) > 0'],
    ['the same to divide a text', 'size(run.input.text.split(run.input.needle)) > 0'],
    ['a duration of many digits', 'duration(run.input.digits) > duration("1s")'],
    ['a duration of many parts', 'duration(run.input.text) > duration("1s")'],
    ['a number of many digits', 'int(run.input.digits) > 0'],
    [
      'bytes that double',
      `cel.bind(a, bytes(run.input.text), cel.bind(b, a + a + a + a, cel.bind(c, b + b + b + b, size(c + c + c + c)))) > 0`,
    ],
    ['a large record sought among many', 'run.input.obj in run.input.list.map(x, {"x": x})'],
    ['texts divided again and again', 'run.input.list.all(x, size(run.input.text.split("")) > 0 || true)'],
    ['texts measured again and again', 'run.input.list.all(x, size(run.input.text) > 0)'],
    ['computed patterns', 'run.input.rows.all(x, !run.input.text.matches("(?i)" + x))'],
    ['errors that are forgiven', 'run.input.list.all(x, run.input.list.exists(y, run.input.nothing == 1) || true)'],
    ['zones', 'run.input.list.all(x, timestamp(1).getHours("Europe/Berlin") >= 0)'],
  ])('%s', (_, source) => {
    expectRefused(evaluate(source));
  });

  test.each([
    ['"1h30m" as a duration', 'duration("1h30m") > duration("1h")'],
    ['a short needle in a long text', 'run.input.text.contains("needle") == false'],
    ['a needle of 500 characters in a long text', `run.input.text.contains("${'b'.repeat(500)}") == false`],
    ['a long text divided by lines', 'size(run.input.text.split("\\n")) == 1'],
    ['a member of a long list', 'size(run.input.list) == 20000 && 0 in run.input.list'],
  ])('%s is allowed', (_, source) => {
    expect(evaluate(source)).toMatchObject({ value: true });
  });
});
