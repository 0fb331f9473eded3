import type { Problem } from '@flotilla/contracts';
import { compileWorkflow, PROBLEM_CODES } from '@flotilla/engine';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperty } from '../model/seeded-property.ts';

/** Whatever is given as a definition: a plan that is right, or problems that say what is wrong. */

type Graph = readonly (readonly number[])[];
const LIMIT = { maxDepth: 2000 };

/** Longest chain in steps; undefined when there is a circle. The obvious way: take away what nothing leads to. */
function referenceDepth(parents: Graph): number | undefined {
  const left = new Set(parents.keys());
  let depth = 0;
  while (left.size > 0) {
    const free = [...left].filter((step) => parents[step]!.every((parent) => !left.has(parent)));
    if (free.length === 0) return undefined;
    for (const step of free) left.delete(step);
    depth += 1;
  }
  return depth;
}

/** Step numbers in random order become names: nothing can lean on the order in the document. */
function definitionOf(parents: Graph, names: readonly string[]) {
  const steps = Object.fromEntries(
    parents.map((needs, index) => {
      const named = needs.map((need) => names[need] ?? `ghost-${need}`);
      return [names[index]!, { kind: 'task', use: 'work', ...(named.length > 0 && { needs: named }) }];
    }),
  );
  return { flotilla: 1, name: 'fuzz', steps };
}

const namesOf = (count: number, seed: number) =>
  Array.from({ length: count }, (_, index) => `s${((index + seed) * 7919) % 1_000_003}`);

const smallGraph: fc.Arbitrary<Graph> = fc
  .integer({ min: 1, max: 10 })
  .chain((count) =>
    fc.array(fc.uniqueArray(fc.nat(count - 1), { maxLength: 3 }), { minLength: count, maxLength: count }),
  );
/** Without circles: each step needs some of those before it. */
const largeGraph = fc.record({
  count: fc.constantFrom(2000, 10_000),
  reach: fc.integer({ min: 3, max: 400 }),
  salt: fc.nat(),
});

function checkPlanOrder(parents: Graph, names: readonly string[], depth: number): void {
  const compiled = compileWorkflow(definitionOf(parents, names), { ...LIMIT, maxDepth: 10_001 });
  if (!compiled.ok) throw new Error(`does not compile: ${JSON.stringify(compiled.problems.slice(0, 3))}`);
  const { plan } = compiled;
  expect([plan.steps.length, plan.depth]).toEqual([parents.length, depth]);
  for (const [step, needs] of parents.entries()) {
    const index = plan.stepIndex.get(names[step]!)!;
    const needed = needs.map((need) => plan.stepIndex.get(names[need]!)!);
    expect(plan.steps[index]!.needs).toEqual(needed.sort((one, two) => one - two));
    if (needed.some((need) => need >= index)) throw new Error(`${names[step]} stands before what it needs`);
  }
}

describe('a random graph', () => {
  test('compiles exactly if it has no circle, with the depth and an order that a plain sort gives', async () => {
    await checkProperty(
      fc.record({ parents: smallGraph, seed: fc.nat(1000) }),
      async ({ parents, seed }) => {
        const names = namesOf(parents.length, seed);
        const depth = referenceDepth(parents);
        if (depth !== undefined) return checkPlanOrder(parents, names, depth);
        const compiled = compileWorkflow(definitionOf(parents, names), LIMIT);
        expect(codesOf(compiled)).toContain('CYCLE');
      },
      { numRuns: 1000, timeLimitMs: 3000 },
    );
  }, 90_000);

  test('of thousands of steps does, too', async () => {
    await checkProperty(
      largeGraph,
      async ({ count, reach, salt }) => {
        const parents = Array.from({ length: count }, (_, step) => {
          const needs = [1, 2].map((which) => step - 1 - ((step * 31 * which + salt) % reach));
          return [...new Set(needs.filter((need) => need >= 0))];
        });
        const depths: number[] = [];
        for (const needs of parents) depths.push(1 + Math.max(0, ...needs.map((need) => depths[need]!)));
        checkPlanOrder(parents, namesOf(count, salt % 1000), Math.max(...depths));
      },
      { numRuns: 4, timeLimitMs: 4000 },
    );
  }, 90_000);

  test('with needs that do not exist is told each of them', async () => {
    const withGhosts = fc.record({
      parents: smallGraph,
      ghosts: fc.uniqueArray(fc.integer({ min: 50, max: 60 }), { minLength: 1, maxLength: 4 }),
    });
    await checkProperty(
      withGhosts,
      async ({ parents, ghosts }) => {
        const [first = [], ...others] = parents;
        const compiled = compileWorkflow(
          definitionOf([[...first, ...ghosts], ...others], namesOf(parents.length, 0)),
          LIMIT,
        );
        const told = compiled.ok ? [] : compiled.problems.filter(({ code }) => code === 'UNKNOWN_STEP');
        expect(told).toHaveLength(ghosts.length);
      },
      { numRuns: 300, timeLimitMs: 2000 },
    );
  }, 90_000);
});

/** Made anew for each example: an example must not change what the next one is given. */
type Make = () => unknown;

function looped(): unknown {
  const list: unknown[] = [];
  list.push(list);
  return list;
}

function throwing(): never {
  throw new Error('somebody looked');
}

/** What code can hand over, JSON or not. */
const STRANGE: readonly Make[] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, -0, 2 ** 53, 1e300, -1, 0, 0.5, 1e9, 10n, Symbol('s'), undefined, null],
  ...[
    '',
    '__proto__',
    'constructor',
    'toString',
    'a:b',
    '{x}',
    '*',
    '\r\n',
    '\u0000',
    '\ud800',
    '\u202E',
    '🚀',
    'e\u0301',
  ],
  ...['../../etc/passwd', '007', '${{', '${{ }}', '${{ run.input', '${{ steps["x"].output }}', 'x'.repeat(10_000)],
].map((value) => () => value);
const STRANGE_OBJECTS: readonly Make[] = [
  () => throwing,
  () => new Date(0),
  () => new Map([['a', 1]]),
  () => new Error('e'),
  () => Object.create({ inherited: 1 }),
  () => [],
  () => ({}),
  () => [[]],
  () => new Array(5),
  () => JSON.parse('{"__proto__":{"a":1}}'),
  () => ({ toJSON: throwing }),
  () => Object.defineProperty({}, 'kind', { enumerable: true, configurable: true, get: throwing }),
  looped,
];
const strange: fc.Arbitrary<Make> = fc.oneof(
  fc.constantFrom(...STRANGE),
  fc.constantFrom(...STRANGE_OBJECTS),
  fc.jsonValue({ maxDepth: 3 }).map((value) => () => structuredClone(value)),
);

const WHOLE = {
  flotilla: 1,
  name: 'whole',
  version: '1.0.0',
  timeoutMs: 1000,
  failFast: false,
  budget: { maxSteps: 20, costUSD: 5, wallClockMs: 10_000 },
  input: { type: 'object', properties: { n: { type: 'integer' } } },
  output: { got: '${{ steps.a.output }}' },
  steps: {
    a: {
      kind: 'task',
      use: 'work',
      input: { n: '${{ run.input.n }}' },
      retry: { maxAttempts: 3 },
      timeouts: { attemptMs: 5 },
    },
    b: { kind: 'http', request: { url: 'http://localhost/' }, needs: ['a'], when: 'steps.a.output != null' },
    c: { kind: 'branch', cases: [{ when: 'true', to: 'd' }], otherwise: 'e', needs: ['a'] },
    d: { kind: 'delay', forMs: 5 },
    e: {
      kind: 'map',
      over: '[1, 2]',
      as: 'item',
      each: { kind: 'task', use: 'work', input: '${{ item }}' },
      concurrency: 2,
    },
    f: { kind: 'agent', capability: 'think', input: {}, needs: ['d', 'e'], join: 'any' },
  },
};

/** Paths of all values in a document. */
function pathsOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  const below = Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key]));
  return [[...path], ...below];
}
const PATHS = pathsOf(WHOLE);

interface Change {
  path: readonly string[];
  how: 'replace' | 'remove' | 'add';
  name: string;
  make: Make;
}
const change: fc.Arbitrary<Change> = fc.record({
  path: fc.constantFrom(...PATHS.filter((path) => path.length > 0)),
  how: fc.constantFrom('replace', 'replace', 'remove', 'add'),
  name: fc.oneof(
    fc.string({ maxLength: 5 }),
    fc.constantFrom('needs', 'when', 'constructor', 'kind', 'a', 'x'.repeat(200)),
  ),
  make: strange,
});

function changed(changes: readonly Change[]): unknown {
  const document = structuredClone(WHOLE) as unknown as Record<string, unknown>;
  for (const { path, how, name, make } of changes) {
    let at: Record<string, unknown> = document;
    for (const key of path.slice(0, -1)) {
      const next = Object.hasOwn(at, key) ? Object.getOwnPropertyDescriptor(at, key)?.value : undefined;
      if (typeof next !== 'object' || next === null) break;
      at = next as Record<string, unknown>;
    }
    if (Object.isFrozen(at)) continue;
    if (how === 'remove') delete at[path.at(-1)!];
    else
      Object.defineProperty(at, how === 'add' ? name : path.at(-1)!, {
        value: make(),
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return document;
}

type Compiled = ReturnType<typeof compileWorkflow>;
const codesOf = (compiled: Compiled) => (compiled.ok ? [] : compiled.problems.map(({ code }) => code));

function checkVerdict(given: unknown): void {
  const compiled = compileWorkflow(given, LIMIT);
  if (compiled.ok) {
    // What is accepted is what is stored: read back, it is the same.
    const again = compileWorkflow(JSON.parse(JSON.stringify(compiled.plan.definition)), LIMIT);
    expect(again.ok && again.plan.hash).toBe(compiled.plan.hash);
    return;
  }
  expect(compiled.problems.filter(isWrongProblem)).toEqual([]);
  expect(compiled.problems.some(({ severity }) => severity !== 'warning')).toBe(true);
  expect(JSON.stringify(compiled.problems).length).toBeLessThan(200_000);
}

const CODES = new Set<string>(Object.keys(PROBLEM_CODES));
function isWrongProblem({ code, path, message }: Problem): boolean {
  return !(CODES.has(code) && typeof path === 'string' && (path === '' || path.startsWith('/')) && message.length > 0);
}

describe('any value as a definition', () => {
  test('begins with one that compiles', () => {
    expect(compileWorkflow(WHOLE, LIMIT)).toMatchObject({ ok: true });
  });

  test('that was a good one until some of its values changed gives a plan or typed problems, and is never thrown at', async () => {
    const before = Object.getOwnPropertyNames(Object.prototype).join();
    await checkProperty(
      fc.array(change, { minLength: 1, maxLength: 3 }),
      async (changes) => checkVerdict(changed(changes)),
      { numRuns: 3000, timeLimitMs: 6000 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
  }, 90_000);

  test('at all does, too', async () => {
    await checkProperty(
      fc.oneof(
        strange,
        fc.object({ maxDepth: 4 }).map((value) => () => value),
      ),
      async (make) => checkVerdict(make()),
      {
        numRuns: 1500,
        timeLimitMs: 3000,
      },
    );
  }, 90_000);
});
