import { definitionZ, isLegalId } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import type { CliProblem } from '../cli-problem.ts';
import { importWfformat } from './wfformat.ts';

const options = { timeScale: 1, fallbackName: 'file' };

function task(id: string, parents: string[] = [], children: string[] = [], name = id) {
  return { id, name, parents, children };
}

function wfformat15(tasks: object[], execution: object[] = [], name = 'graph') {
  return { name, schemaVersion: '1.5', workflow: { specification: { tasks }, execution: { tasks: execution } } };
}

function problemOf(document: unknown): { code: string; problems: string[] } {
  try {
    importWfformat(document, options);
  } catch (error) {
    const { code, problems } = error as CliProblem;
    return { code, problems: problems.map((problem) => `${problem.code} ${problem.path}`) };
  }
  throw new Error('accepted');
}

describe('importWfformat', () => {
  test('reads WfFormat 1.5: tasks, edges from either end, runtimes by id', () => {
    const document = wfformat15(
      [task('a', [], ['b']), task('b', [], []), task('c', ['a', 'b'])],
      [
        { id: 'a', runtimeInSeconds: 1.2344 },
        { id: 'c', runtimeInSeconds: 0 },
      ],
    );
    const { definition, ...facts } = importWfformat(document, { ...options, timeScale: 0.5 });
    expect(facts).toEqual({ layout: 'wfformat-1.5', tasks: 3, edges: 3 });
    expect(definition).toEqual({
      flotilla: 1,
      name: 'graph',
      metadata: { importedFrom: 'wfformat-1.5', timeScale: 0.5 },
      steps: {
        a: { kind: 'task', use: 'flotilla.sleep', title: 'a', input: { ms: 617 } },
        b: { kind: 'task', use: 'flotilla.sleep', title: 'b', needs: ['a'], input: { ms: 0 } },
        c: { kind: 'task', use: 'flotilla.sleep', title: 'c', needs: ['a', 'b'], input: { ms: 0 } },
      },
    });
    expect(definitionZ.safeParse(definition).success).toBe(true);
  });

  test('reads WfFormat 1.4: parents and children by name, either runtime field', () => {
    const document = {
      name: 'old graph',
      workflow: {
        tasks: [
          { name: 'first_1', id: 'ID1', parents: [], children: ['second_2'], runtime: 2 },
          { name: 'second_2', id: 'ID2', parents: ['first_1'], children: [], runtimeInSeconds: 3 },
          { name: 'third_3', parents: ['ID2'], children: [] },
        ],
      },
    };
    const { definition, layout, edges } = importWfformat(document, options);
    expect([layout, edges]).toEqual(['wfformat-1.4', 2]);
    expect(definition.title).toBe('old graph');
    expect(definition.name).toBe('file');
    expect(definition.steps).toMatchObject({
      ID1: { input: { ms: 2000 } },
      ID2: { needs: ['ID1'], input: { ms: 3000 } },
      third_3: { needs: ['ID2'], input: { ms: 0 } },
    });
  });

  test('reads an adjacency list, with children that have no entry of their own', () => {
    const { definition, layout, tasks, edges } = importWfformat({ a: ['b', 'c'], b: ['c'] }, options);
    expect([layout, tasks, edges]).toEqual(['adjacency-list', 3, 3]);
    expect(definition.steps['c']).toMatchObject({ needs: ['a', 'b'], input: { ms: 0 } });
  });

  test('a time scale of 0 waits for nothing, whatever was recorded', () => {
    const document = wfformat15([task('a', [], ['b']), task('b')], [{ id: 'a', runtimeInSeconds: 1e9 }]);
    const { definition } = importWfformat(document, { ...options, timeScale: 0 });
    expect(definition.steps['a']).toMatchObject({ input: { ms: 0 } });
  });

  test('long tasks get a time limit that lets them finish', () => {
    const document = wfformat15([task('a', [], ['b']), task('b')], [{ id: 'a', runtimeInSeconds: 1000 }]);
    const { definition } = importWfformat(document, options);
    expect(definition.steps['a']).toMatchObject({ input: { ms: 1_000_000 }, timeouts: { attemptMs: 1_060_000 } });
    expect(definition.steps['b']).not.toHaveProperty('timeouts');
  });

  test('an illegal id gets a legal one that is always the same, and stays as the title', () => {
    const strange = [
      'a:b',
      'a b',
      'ä',
      '__proto__',
      'constructor',
      '{x}',
      '../x',
      '',
      'x'.repeat(200),
      'a\u0000b',
      '-',
    ];
    const ids = strange.filter((id) => id !== '');
    const document = wfformat15([task('root', [], ids), ...ids.map((id) => task(id))]);
    const { definition } = importWfformat(document, options);
    const steps = Object.entries(definition.steps);
    expect(steps).toHaveLength(ids.length + 1);
    expect(steps.every(([id]) => isLegalId(id))).toBe(true);
    expect(steps.slice(1).map(([, step]) => step.title)).toEqual(ids);
    expect(steps[1]?.[0]).toMatch(/^a-b-[0-9a-f]{8}$/);
    expect(importWfformat(document, options)).toEqual({ ...importWfformat(document, options), definition });
    expect(definitionZ.safeParse(definition).error).toBeUndefined();
  });

  test('a single task needs no edge', () => {
    expect(importWfformat(wfformat15([task('only')]), options).edges).toBe(0);
  });

  test('tasks without any edge are refused as a heap', () => {
    expect(problemOf(wfformat15([task('a'), task('b')])).code).toBe('NO_EDGES');
    expect(problemOf({ a: [], b: [] }).code).toBe('NO_EDGES');
    expect(problemOf(wfformat15([])).code).toBe('NO_STEPS');
  });

  test('tells all problems at once: dangling references, doubled ids, bad runtimes', () => {
    const document = wfformat15(
      [task('a', ['nobody'], ['b', 'none']), task('b', [], [7 as never]), task('a'), { name: 'no id' }, null as never],
      [
        { id: 'a', runtimeInSeconds: -1 },
        { id: 'b', runtimeInSeconds: '3' },
      ],
    );
    expect(problemOf(document)).toEqual({
      code: 'WFFORMAT_INVALID',
      problems: [
        'DUPLICATE_ID /workflow/specification/tasks/2',
        'WFFORMAT_INVALID /workflow/specification/tasks/3',
        'WFFORMAT_INVALID /workflow/specification/tasks/4',
        'WFFORMAT_INVALID /workflow/specification/tasks/0',
        'WFFORMAT_INVALID /workflow/specification/tasks/1',
        'UNKNOWN_STEP /workflow/specification/tasks/0/parents/0',
        'UNKNOWN_STEP /workflow/specification/tasks/0/children/1',
        'WFFORMAT_INVALID /workflow/specification/tasks/1/children/0',
      ],
    });
  });

  test('a name that several tasks have is no reference in 1.4, unless it is an id', () => {
    const tasks = [
      { id: 'x1', name: 'same' },
      { id: 'x2', name: 'same' },
      { id: 'x3', name: 'other', parents: ['same', 'x1'] },
    ];
    expect(problemOf({ workflow: { tasks } }).problems).toEqual(['AMBIGUOUS /workflow/tasks/2/parents/0']);
  });

  test.each([[null], [[]], [{}], ['x'], [{ workflow: {} }], [{ a: [1] }], [{ a: 'b' }], [{ workflow: { tasks: 3 } }]])(
    'refuses %j as no task graph',
    (document) => {
      expect(problemOf(document).code).toBe('WFFORMAT_INVALID');
    },
  );
});
