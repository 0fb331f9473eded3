import type { Json, StepDefinition, WorkflowDefinition } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { compileWorkflow } from './compile-workflow.ts';
import { evaluateCondition } from './evaluate-expression.ts';
import { deriveId } from './legacy-ids.ts';
import { migrateLegacy } from './migrate-legacy.ts';

const id = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
type Fields = Record<string, unknown>;
const agent = (key: string, more: Fields = {}): Fields => ({
  id: key,
  name: key,
  kind: 'agent',
  agentId: 'writer',
  ...more,
});
const legacy = (steps: Fields, more: Fields = {}) => ({
  id,
  name: 'Order',
  version: '1.2.0',
  entry: Object.keys(steps)[0],
  steps,
  ...more,
});

function migrate(document: unknown) {
  const migration = migrateLegacy(document);
  if (!migration.ok) throw new Error(JSON.stringify(migration.problems));
  return migration;
}

const definitionOf = (document: unknown): WorkflowDefinition => migrate(document).definition;
const stepOf = (document: unknown, stepId: string) => definitionOf(document).steps[stepId] as StepDefinition;

function codesOf(document: unknown): string[] {
  const compiled = compileWorkflow(document);
  const problems = compiled.ok ? compiled.warnings : compiled.problems;
  return problems.map(({ code, path }) => `${code} ${path}`);
}

describe('a legacy document', () => {
  const order = legacy(
    {
      fetch: {
        id: 'fetch',
        name: 'Fetch',
        kind: 'http',
        input: { url: 'https://x.test/o', method: 'post', body: { a: 1 } },
        next: 'check',
      },
      check: {
        id: 'check',
        name: 'Check',
        kind: 'branch',
        branches: [
          { when: 'order.large', to: 'approve' },
          { when: 'run.input.n > 3', to: 'wait' },
        ],
        next: 'notify',
      },
      approve: agent('approve', {
        retry: { maxRetries: 2, backoffMs: 500 },
        timeoutMs: 9000,
        toolAllowlist: ['mail'],
        next: 'notify',
      }),
      wait: { id: 'wait', name: 'Wait', kind: 'delay', input: { ms: 50 }, next: 'notify' },
      notify: {
        id: 'notify',
        name: 'Notify',
        kind: 'map',
        agentId: 'mailer',
        input: { items: ['a', 'b'], concurrency: 2 },
        next: null,
      },
    },
    { budget: { wallClockMs: 60_000, maxSteps: 10, costUSD: 1 }, metadata: { team: 'sales' } },
  );

  test('of all five kinds compiles and keeps what it says', () => {
    const compiled = compileWorkflow(order);
    expect(compiled.ok).toBe(true);
    expect(definitionOf(order)).toEqual({
      flotilla: 1,
      name: 'Order',
      version: '1.2.0',
      title: 'Order',
      budget: { wallClockMs: 60_000, maxSteps: 10, costUSD: 1 },
      metadata: { team: 'sales', legacyId: id },
      steps: {
        fetch: { kind: 'http', title: 'Fetch', request: { url: 'https://x.test/o', method: 'POST', body: { a: 1 } } },
        check: {
          kind: 'branch',
          title: 'Check',
          needs: ['fetch'],
          cases: [
            { when: expect.stringContaining('has(run.input.order.large)'), to: 'approve' },
            { when: 'run.input.n > 3', to: 'wait' },
          ],
          otherwise: 'notify',
        },
        approve: {
          kind: 'agent',
          capability: 'writer',
          title: 'approve',
          retry: { maxAttempts: 3, initialMs: 500, jitter: 'full' },
          timeouts: { attemptMs: 9000 },
          toolAllowlist: ['mail'],
        },
        wait: { kind: 'delay', title: 'Wait', forMs: 50 },
        notify: {
          kind: 'map',
          title: 'Notify',
          needs: ['approve', 'wait'],
          join: 'any',
          over: '["a","b"]',
          as: 'item',
          concurrency: 2,
          each: { kind: 'agent', capability: 'mailer', input: { item: '${{ item }}', index: '${{ index }}' } },
        },
      },
    });
  });

  test('whose condition is a path asks whether it is there and says something', () => {
    const { when } = (stepOf(order, 'check') as Extract<StepDefinition, { kind: 'branch' }>).cases[0]!;
    const compiled = compileWorkflow({ flotilla: 1, name: 'x', steps: { a: { kind: 'delay', forMs: 1, when } } });
    if (!compiled.ok) throw new Error('does not compile');
    const expression = compiled.plan.steps[0]!.when!;
    const holds = (input: Json) =>
      evaluateCondition(expression, { run: { id: 'r', input }, step: () => ({ status: '', output: null }) });
    const values: [Json, boolean][] = [
      [{}, false],
      [{ order: {} }, false],
      [{ order: 5 }, false],
      [{ order: { large: null } }, false],
      [{ order: { large: false } }, false],
      [{ order: { large: 0 } }, false],
      [{ order: { large: '' } }, false],
      [{ order: { large: 'yes' } }, true],
      [{ order: { large: {} } }, true],
    ];
    for (const [input, expected] of values) expect([input, holds(input)]).toEqual([input, expected]);
  });

  test('whose path uses words of the expression language still compiles', () => {
    const steps = {
      p: { id: 'p', name: 'p', kind: 'branch', branches: [{ when: 'in.true.null', to: 'a' }] },
      a: agent('a'),
    };
    expect(compileWorkflow(legacy(steps)).ok).toBe(true);
  });

  test('says what is lost or changed, with pointers into it', () => {
    const steps = {
      'first step': agent('other', { branches: [], next: 'p' }),
      p: {
        id: 'p',
        name: 'p',
        kind: 'branch',
        input: 1,
        retry: { maxRetries: 1, backoffMs: 1 },
        branches: [{ when: 'x', to: 'last' }],
      },
      last: { id: 'last', name: 'last', kind: 'http', input: { url: 'https://x.test', timeout: 5 } },
      alone: agent('alone'),
    };
    expect(codesOf(legacy(steps, { name: 'Order fulfilment', version: 'v2', extra: 1 }))).toEqual([
      'LEGACY_FIELD_LOST /extra',
      'LEGACY_VALUE_CHANGED /steps/first step',
      'LEGACY_FIELD_LOST /steps/first step/branches',
      'LEGACY_FIELD_LOST /steps/p/retry',
      'LEGACY_FIELD_LOST /steps/p/input',
      'LEGACY_VALUE_CHANGED /steps/p/branches/0/when',
      'LEGACY_FIELD_LOST /steps/last/input/timeout',
      'UNREACHABLE_STEP /steps/alone',
      'LEGACY_VALUE_CHANGED /name',
      'LEGACY_VALUE_CHANGED /version',
    ]);
  });

  test('leaves out what its cursor could never reach', () => {
    expect(Object.keys(definitionOf(legacy({ a: agent('a'), b: agent('b', { next: 'a' }) })).steps)).toEqual(['a']);
  });

  test('follows keys before the ids that steps say of themselves', () => {
    const steps = { a: agent('x', { next: 'y' }), b: agent('y', { next: 'c' }), c: agent('a') };
    const { steps: migrated } = definitionOf(legacy(steps));
    expect([migrated['b']!.needs, migrated['c']!.needs]).toEqual([['a'], ['b']]);
  });

  test('keeps a ${{ in its texts as text', () => {
    const compiled = compileWorkflow(legacy({ a: agent('a', { input: { text: 'cost ${{ x }}', only: '${{' } }) }));
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    const scope = { run: { id: 'r', input: {} }, step: () => ({ status: '', output: null }) };
    expect(compiled.plan.steps[0]!.work!.input!.resolve(scope)).toEqual({ text: 'cost ${{ x }}', only: '${{' });
  });

  test.each<[string, unknown, string]>([
    ['an entry that is no step', legacy({ a: agent('a') }, { entry: 'b' }), 'UNKNOWN_STEP /entry'],
    ['a next that is no step', legacy({ a: agent('a', { next: 'b' }) }), 'UNKNOWN_STEP /steps/a/next'],
    [
      'a branch to no step',
      legacy({ p: { id: 'p', name: 'p', kind: 'branch', branches: [{ when: 'x', to: 'b' }] } }),
      'UNKNOWN_STEP /steps/p/branches/0/to',
    ],
    ['a circle', legacy({ a: agent('a', { next: 'b' }), b: agent('b', { next: 'a' }) }), 'CYCLE /steps/a'],
    [
      'an agent without an id',
      legacy({ a: { id: 'a', name: 'a', kind: 'agent' } }),
      'LEGACY_FIELD_MISSING /steps/a/agentId',
    ],
    [
      'an http step without an address',
      legacy({ a: { id: 'a', name: 'a', kind: 'http' } }),
      'LEGACY_FIELD_MISSING /steps/a/input/url',
    ],
    [
      'a delay without a time',
      legacy({ a: { id: 'a', name: 'a', kind: 'delay' } }),
      'LEGACY_FIELD_MISSING /steps/a/input/ms',
    ],
    [
      'a map without items',
      legacy({ a: { id: 'a', name: 'a', kind: 'map', agentId: 'x' } }),
      'LEGACY_FIELD_MISSING /steps/a/input/items',
    ],
    [
      'a condition that does not parse',
      legacy({ p: { id: 'p', name: 'p', kind: 'branch', branches: [{ when: 'a >', to: 'b' }] }, b: agent('b') }),
      'EXPRESSION_INVALID /steps/p/branches/0/when',
    ],
    [
      'more steps than its budget',
      legacy({ a: agent('a', { next: 'b' }), b: agent('b') }, { budget: { wallClockMs: 1, maxSteps: 1 } }),
      'BUDGET_EXCEEDED /budget/maxSteps',
    ],
    ['an illegal tool', legacy({ a: agent('a', { toolAllowlist: ['a b'] }) }), 'ILLEGAL_ID /steps/a/toolAllowlist/0'],
    [
      'a negative delay',
      legacy({ a: { id: 'a', name: 'a', kind: 'delay', input: { ms: -1 } } }),
      'ILLEGAL_VALUE /steps/a/input/ms',
    ],
    ['an id that is no UUID', { ...legacy({ a: agent('a') }), id: 'x' }, 'ILLEGAL_VALUE /id'],
    ['no steps', { ...legacy({}), entry: 'a' }, 'NO_STEPS /steps'],
  ])('with %s is refused', (_what, document, expected) => {
    expect(compileWorkflow(document).ok).toBe(false);
    expect(codesOf(document)).toContain(expected);
  });
});

test.each([
  ['Order fulfilment', 'Order-fulfilment'],
  ['  ', 'id'],
  ['ä', 'a'],
  ['constructor', 'id-constructor'],
  ['__proto__', 'proto__'],
  ['ok.id-1', 'ok.id-1'],
])('the id nearest to %p is %p', (text, expected) => {
  expect(deriveId(text)).toBe(expected);
});
