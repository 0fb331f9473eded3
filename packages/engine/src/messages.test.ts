import { describe, expect, test } from '@jest/globals';
import { compileWorkflow } from './compile-workflow.ts';

/** What a user sees of a definition: each problem as `CODE pointer: message`. */
function messagesOf(steps: object, more: object = {}): string[] {
  const compiled = compileWorkflow({ flotilla: 1, name: 'w', steps, ...more });
  return compiled.ok ? [] : compiled.problems.map(({ code, path, message }) => `${code} ${path}: ${message}`);
}
const task = (more: object = {}) => ({ kind: 'task', use: 'x', ...more });

describe('a message names what was most likely meant', () => {
  test.each<[string, object, string[]]>([
    [
      'a mistyped field, once',
      { a: { kind: 'task', uses: 'x' } },
      ['UNKNOWN_FIELD /steps/a/uses: there is no field uses here (did you mean use?)'],
    ],
    [
      'need',
      { a: task(), b: task({ need: ['a'] }) },
      ['UNKNOWN_FIELD /steps/b/need: there is no field need here (did you mean needs?)'],
    ],
    [
      'a field within a field',
      { a: task({ retry: { maxAttempt: 3 } }) },
      ['UNKNOWN_FIELD /steps/a/retry/maxAttempt: there is no field maxAttempt here (did you mean maxAttempts?)'],
    ],
    [
      'a field of another kind of step',
      { a: { kind: 'http', request: { url: 'http://h', metod: 'GET' } } },
      ['UNKNOWN_FIELD /steps/a/request/metod: there is no field metod here (did you mean method?)'],
    ],
    [
      'a kind',
      { a: { kind: 'taks', use: 'x' } },
      [
        expect.stringMatching(
          /^ILLEGAL_VALUE \/steps\/a\/kind: taks is not one of task, agent, http, .* \(did you mean task\?\)$/,
        ) as unknown as string,
      ],
    ],
    [
      'the name of kind',
      { a: { knd: 'task', use: 'x' } },
      [expect.stringMatching(/^MISSING_FIELD \/steps\/a\/kind: .* \(is knd meant for it\?\)$/) as unknown as string],
    ],
    [
      'a value',
      { a: { kind: 'http', request: { url: 'http://h', method: 'GETT' } } },
      [
        'ILLEGAL_VALUE /steps/a/request/method: GETT is not one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS (did you mean GET?)',
      ],
    ],
    [
      'a step that is needed',
      { charge: task(), b: task({ needs: ['chrage'] }) },
      ['UNKNOWN_STEP /steps/b/needs/0: there is no step chrage (did you mean charge?)'],
    ],
    [
      'an item of a map',
      { rows: { kind: 'map', over: '[1]', each: task() }, b: task({ needs: ['rows[0]'] }) },
      [
        'UNKNOWN_STEP /steps/b/needs/0: rows[0] is one item of the map rows: name the map, rows, and read the item as steps.rows.output[0]',
      ],
    ],
    [
      'a step with a dash',
      { 'check-credit': task(), b: task({ needs: ['check-credit'], input: '${{ steps.check-credit.output }}' }) },
      [
        'UNKNOWN_STEP /steps/b/input: in ${{ }} at character 4: there is no step check; the step check-credit is read as steps["check-credit"]',
      ],
    ],
    [
      'a step with dots and dashes',
      { 'a.b-c': task(), b: task({ needs: ['a.b-c'], when: 'steps.a.b-c.output.ok == 1' }) },
      [
        expect.stringMatching(/^EXPRESSION_INVALID /) as unknown as string,
        expect.stringMatching(/there is no step a; the step a\.b-c is read as steps\["a\.b-c"\]$/) as unknown as string,
      ],
    ],
    [
      'a step that is read',
      { charge: task(), b: task({ needs: ['charge'], when: 'steps.chrage.output == 1' }) },
      [
        'UNKNOWN_STEP /steps/b/when: in steps.chrage.output == 1 at character 0: there is no step chrage (did you mean charge?)',
      ],
    ],
  ])('%s', (_what, steps, expected) => {
    expect(messagesOf(steps)).toEqual(expected);
  });

  test('of the definition itself, too', () => {
    expect(messagesOf({ a: task() }, { timeoutMS: 3 })).toEqual([
      'UNKNOWN_FIELD /timeoutMS: there is no field timeoutMS here (did you mean timeoutMs?)',
    ]);
  });

  test('costs no more for a document that is made of mistakes', () => {
    const near = (index: number) => `${'s'.repeat(120)}${index}`;
    const steps = Array.from({ length: 5000 }, (_, index) => [
      near(index),
      task({ needs: [near(index + 10_000)], when: `steps.${near(index + 20_000)}.output == 1`, [`us${index}`]: 1 }),
    ]);
    const startedAt = process.cpuUsage();
    expect(messagesOf(Object.fromEntries(steps)).length).toBeGreaterThan(1000);
    expect(process.cpuUsage(startedAt).user / 1000).toBeLessThan(5000);
  });

  test('and nothing where nothing is near', () => {
    expect(messagesOf({ a: task({ colour: 'red', needs: ['warehouse'] }) })).toEqual([
      'UNKNOWN_FIELD /steps/a/colour: there is no field colour here',
      'UNKNOWN_STEP /steps/a/needs/0: there is no step warehouse',
    ]);
  });
});
