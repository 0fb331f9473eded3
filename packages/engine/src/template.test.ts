import type { Json } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Scope } from './plan.ts';
import { compileTemplate } from './template.ts';

const names = { stepIndex: new Map([['a', 0]]) };
const scope: Scope = {
  run: { id: 'r', input: { n: 2, text: 'hi', list: [1], nothing: null } },
  step: () => ({ status: 'succeeded', output: { x: true } }),
};

function compile(value: Json) {
  const compiled = compileTemplate(value, names);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.template;
}

const problemsOf = (value: Json) => {
  const compiled = compileTemplate(value, names);
  return compiled.ok ? [] : compiled.problems;
};

describe('a template', () => {
  test.each<[Json, Json]>([
    ['${{ run.input.n }}', 2],
    ['${{run.input.list}}', [1]],
    ['${{ run.input.nothing }}', null],
    ['n is ${{ run.input.n }}', 'n is 2'],
    ['${{ run.input.n }}${{ run.input.text }}', '2hi'],
    [' ${{ run.input.n }}', ' 2'],
    ['${{ run.input.list }}!', '[1]!'],
    ['is ${{ run.input.nothing }}', 'is null'],
    ['${{ {"a": {"b": 1}} }}', { a: { b: 1 } }],
    ['${{ {"a":1}}}', { a: 1 }],
    ['${{ "}}" }}', '}}'],
    ["${{ '\\'}}' }}", "'}}"],
    ['${{ """a"}}""" }}', 'a"}}'],
    ['${{ "${{" }} is kept', '${{ is kept'],
    ['a }} b { c $', 'a }} b { c $'],
    [
      { list: ['${{ run.input.n }}', { '${{ key }}': '${{ steps.a.output.x }}' }] },
      { list: [2, { '${{ key }}': true }] },
    ],
  ])('%j', (template, expected) => {
    expect(compile(template).resolve(scope)).toEqual(expected);
  });

  test('without expressions is constant, and gives a copy each time', () => {
    const given = { a: [1, { b: 'text' }] };
    const template = compile(given);
    expect(template).toMatchObject({ constant: true, reads: [], readsRunInput: false });
    const resolved = template.resolve(scope) as { a: Json[] };
    expect(resolved).toEqual(given);
    resolved.a.push('changed');
    expect(template.resolve(scope)).toEqual(given);
  });

  test('tells which steps it reads', () => {
    expect(compile(['${{ steps.a.output }}', 'x'])).toMatchObject({
      constant: false,
      reads: [0],
      readsRunInput: false,
    });
    expect(compile('${{ run.input }}').readsRunInput).toBe(true);
  });

  test('reports every problem with its place', () => {
    expect(
      problemsOf({ a: ['x ${{ 1 + }}', '${{ run.input.n'], 'b/c': '${{ steps.nope.output }} ${{ foo }}' }),
    ).toEqual([
      { code: 'EXPRESSION_INVALID', path: '/a/0', message: expect.stringContaining('at character 9') },
      { code: 'TEMPLATE_INVALID', path: '/a/1', message: expect.stringContaining('at character 0') },
      { code: 'UNKNOWN_STEP', path: '/b~1c', message: expect.stringContaining('no step nope') },
      { code: 'EXPRESSION_INVALID', path: '/b~1c', message: expect.stringContaining('Unknown variable: foo') },
    ]);
  });

  test('has secrets only where they are allowed, each alone in its braces, and resolves to references without them', () => {
    const request = { url: '${{ secrets.URL }}', headers: { a: 'Bearer ${{secrets.TOKEN}}' } };
    const compiled = compileTemplate(request, { ...names, secrets: true });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    expect(compiled.template).toMatchObject({ constant: false, readsSecrets: true });
    const secret = (name: string) => `the ${name}`;
    expect(compiled.template.resolve({ ...scope, secret })).toEqual({
      url: 'the URL',
      headers: { a: 'Bearer the TOKEN' },
    });
    const reference = { url: '${{ secrets.URL }}', headers: { a: 'Bearer ${{ secrets.TOKEN }}' } };
    expect(compiled.template.resolve(scope)).toEqual(reference);
    const problem = { code: 'EXPRESSION_INVALID', message: expect.stringContaining('a secret stands in the url') };
    expect(problemsOf(request)).toMatchObject([problem, problem]);
    for (const text of [
      '${{ "a" + secrets.TOKEN }}',
      '${{ secrets["TOKEN"] }}',
      '${{ secrets.token }}',
      '${{ secrets }}',
    ])
      expect(compileTemplate(text, { ...names, secrets: true })).toMatchObject({ ok: false, problems: [problem] });
  });

  test('an empty or white expression is a problem', () => {
    expect(problemsOf('${{}}')).toHaveLength(1);
    expect(problemsOf('${{   }}')).toHaveLength(1);
  });

  test('texts that grow beyond the limit fail', () => {
    const large: Scope = { ...scope, run: { id: 'r', input: 'x'.repeat(200_000) } };
    const template = compile(Array.from({ length: 30 }, () => 'a ${{ run.input }}'));
    expect(() => template.resolve(large)).toThrow('larger than 4194304 characters');
  });

  test('any JSON without an opening is itself', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!JSON.stringify(value).includes('${{') && !JSON.stringify(value).includes('__proto__'));
        expect(compile(value as Json).resolve(scope)).toEqual(value);
      }),
    );
  });
});
