import { describe, expect, test } from '@jest/globals';
import { compileInPieces, compileWorkflow } from './compile-workflow.ts';
import { weighPattern } from './pattern-weight.ts';
import { PlanCache } from './plan-cache.ts';

/** How long the longest piece takes is measured in a process of its own: tests/fuzz. */
function compile(document: unknown, options: { cache?: PlanCache; remember?: boolean } = { cache: new PlanCache() }) {
  const pieces = compileInPieces(document, options);
  for (let count = 1; ; count += 1) {
    const piece = pieces.next();
    if (piece.done === true) return { result: piece.value, pieces: count };
  }
}

const workflow = (steps: object, rest: object = {}) => ({ flotilla: 1, name: 'large', steps, ...rest });
const many = (count: number, step: (index: number) => object) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, step(index)]));
const costly = `(?i)${'[^\\\\PL\\\\pN\\\\PL]'.repeat(30)}`;

describe('a large definition', () => {
  test('is compiled in pieces, a step or an expression each, to the plan that it compiles to at once', () => {
    const document = workflow(many(2000, (index) => ({ kind: 'task', use: 'x', when: `run.input.a == ${index}` })));
    const { result, pieces } = compile(document);
    expect(pieces).toBeGreaterThan(2000);
    expect(result.ok && result.plan.hash).toBe((compileWorkflow(document) as { plan: { hash: string } }).plan.hash);
    const inputs = Array.from({ length: 5000 }, (_, index) => `\${{ run.input.x${index} }}`);
    expect(compile(workflow({ a: { kind: 'task', use: 'x', input: inputs } })).pieces).toBeGreaterThan(5000);
  });

  test('has at most ten thousand expressions in one place', () => {
    const inputs = Array.from({ length: 10_001 }, (_, index) => `\${{ run.input.x${index} }}`);
    const { result } = compile(workflow({ a: { kind: 'task', use: 'x', input: inputs } }));
    expect(result).toMatchObject({ problems: [{ code: 'EXPRESSION_TOO_COMPLEX', path: '/steps/a/input' }] });
  });

  test('leaves nothing behind when it is not to be remembered', () => {
    const cache = new PlanCache();
    const document = workflow({ a: { kind: 'delay', forMs: 1 } });
    const first = compile(document, { cache, remember: false }).result;
    const second = compile(document, { cache }).result;
    const third = compile(document, { cache }).result;
    if (!first.ok || !second.ok || !third.ok) throw new Error('does not compile');
    expect(second.plan).not.toBe(first.plan);
    expect(third.plan).toBe(second.plan);
  });

  test('is weighed by what it takes in memory: steps, keys and lists, not its text alone', () => {
    const few = compile(workflow({ a: { kind: 'task', use: 'x', input: 'x'.repeat(200_000) } })).result;
    const lists = compile(
      workflow({ a: { kind: 'task', use: 'x', input: Array.from({ length: 50_000 }, () => ({})) } }),
    );
    if (!few.ok || !lists.result.ok) throw new Error('does not compile');
    expect(few.plan.memoryBytes).toBeLessThan(1_000_000);
    expect(lists.result.plan.memoryBytes).toBeGreaterThan(5_000_000);
  });

  test('takes the place of others in a cache of bytes', () => {
    const cache = new PlanCache(1_000_000);
    const small = compile(workflow({ a: { kind: 'delay', forMs: 2 } }), { cache }).result;
    compile(workflow(many(2000, () => ({ kind: 'delay', forMs: 1 }))), { cache });
    const again = compile(workflow({ a: { kind: 'delay', forMs: 2 } }), { cache }).result;
    if (!small.ok || !again.ok) throw new Error('does not compile');
    expect(again.plan).not.toBe(small.plan);
  });
});

describe('patterns of matches()', () => {
  const withPattern = (pattern: string) =>
    compile(workflow({ a: { kind: 'task', use: 'x', when: `run.id.matches("${pattern}")` } })).result;

  test.each([
    ['a table of Unicode in each place', costly, 'EXPRESSION_TOO_COMPLEX'],
    ['a repetition of a repetition', '(?:(?:abcdefgh){30}){33}', 'EXPRESSION_TOO_COMPLEX'],
    ['long repetitions side by side', 'a{1000}b{1000}'.repeat(10), 'EXPRESSION_TOO_COMPLEX'],
  ])('are refused before they are compiled when compiling takes long: %s', (_, pattern, code) => {
    expect(withPattern(pattern)).toMatchObject({ problems: [{ code }] });
  });

  test.each([
    ['a date', '^\\\\d{4}-\\\\d{2}-\\\\d{2}T\\\\d{2}:\\\\d{2}$'],
    ['an id', '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'],
    ['names in any script', '(?i)^[\\\\pL\\\\pM .-]{1,100}$'],
    ['an address', "^[A-Za-z0-9.!#$%&'*+/=?^_-]{1,64}@[a-z0-9-]+(\\\\.[a-z0-9-]+)*$"],
    ['a long list of words', Array.from({ length: 60 }, (_, index) => `word${index}`).join('|')],
  ])('are taken when they are what people write: %s', (_, pattern) => {
    expect(withPattern(pattern).ok).toBe(true);
  });

  test('are weighed at least as their program is', () => {
    expect(weighPattern('a{1000}').instructions).toBeGreaterThanOrEqual(1000);
    expect(weighPattern('(?:ab{10}){100}').instructions).toBeGreaterThanOrEqual(1100);
    expect(weighPattern('[a-z{9}]').instructions).toBeLessThan(10);
  });
});
