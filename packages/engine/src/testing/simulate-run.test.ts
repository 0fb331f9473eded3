import { readFileSync } from 'node:fs';
import { isSettledStepStatus, type Json, type StepDefinition } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileWorkflow } from '../compile-workflow.ts';
import type { JoinRule, Plan } from '../plan.ts';
import { PlanCache } from '../plan-cache.ts';
import { type SimulatedHandler, simulateRun } from './simulate-run.ts';

interface Case {
  name: string;
  definition: unknown;
  input: Json;
  expect: {
    status: string;
    output?: Json;
    size?: number;
    steps?: Record<string, string>;
    attempts?: Record<string, number>;
    attemptsAtMost?: Record<string, number>;
    errorCode?: Record<string, string>;
    minMs?: number;
    maxMs?: number;
    before?: [string, string][];
  };
}

const cases = JSON.parse(
  readFileSync(new URL('../../../../tests/conformance/cases.json', import.meta.url), 'utf8'),
) as Case[];

const fieldsOf = (input: Json) => input as { ms: number; times: number; code?: string; message?: string };
const builtIn: Record<string, SimulatedHandler> = {
  'flotilla.echo': ({ input }) => ({ afterMs: 0, output: input }),
  'flotilla.sleep': ({ input }) => ({ afterMs: fieldsOf(input).ms, output: { sleptMs: fieldsOf(input).ms } }),
  'flotilla.fail': ({ input, attempt }) => {
    const { times, code, message = 'asked to fail' } = fieldsOf(input);
    if (attempt > times) return { afterMs: 0, output: {} };
    return { afterMs: 0, error: Object.assign(new Error(message), code === undefined ? {} : { code }) };
  },
};

function compile(definition: unknown): Plan {
  const compiled = compileWorkflow(definition, { cache: new PlanCache() });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

/** By step: one field, of those steps that the case names. */
function pick<Value>(names: object, read: (stepId: string) => Value): Record<string, Value> {
  return Object.fromEntries(Object.keys(names).map((stepId) => [stepId, read(stepId)]));
}

describe('the cases of the language, in memory', () => {
  test.each(cases.map((one) => [one.name, one] as const))('%s', (_name, { definition, input, expect: expected }) => {
    const run = simulateRun(compile(definition), input, builtIn);
    expect(run.status).toBe(expected.status);
    if ('output' in expected) expect(run.output).toEqual(expected.output);
    if (expected.size !== undefined) expect(run.output).toHaveLength(expected.size);
    const { steps = {}, attempts = {}, attemptsAtMost = {}, errorCode = {}, before = [] } = expected;
    expect(pick(steps, (stepId) => run.steps[stepId]!.status)).toEqual(steps);
    expect(pick(attempts, (stepId) => run.steps[stepId]!.attempts)).toEqual(attempts);
    expect(pick(errorCode, (stepId) => run.steps[stepId]!.error?.code)).toEqual(errorCode);
    for (const [stepId, most] of Object.entries(attemptsAtMost)) {
      expect(run.steps[stepId]!.attempts).toBeLessThanOrEqual(most);
    }
    for (const [first, second] of before) {
      expect(run.steps[first]!.startedAtMs!).toBeLessThan(run.steps[second]!.settledAtMs!);
    }
    expect(run.endedAtMs).toBeGreaterThanOrEqual(expected.minMs ?? 0);
    expect(run.endedAtMs).toBeLessThanOrEqual(expected.maxMs ?? Number.POSITIVE_INFINITY);
  });
});

describe('branches and needs together', () => {
  const task = (needs: string[] = [], more: object = {}) => ({ kind: 'task', use: 'flotilla.echo', needs, ...more });
  const statusesOf = (steps: object, input: Json, more: object = {}) => {
    const run = simulateRun(compile({ flotilla: 1, name: 'x', steps, ...more }), input, builtIn);
    return Object.fromEntries(Object.entries(run.steps).map(([id, { status, reason }]) => [id, reason ?? status]));
  };
  const choose = (to: string, otherwise?: string) => ({
    kind: 'branch',
    cases: [{ when: `run.input == "${to}"`, to }],
    ...(otherwise === undefined ? {} : { otherwise }),
  });

  test('a target with a need of its own waits for both, and runs only when chosen', () => {
    const steps = { p: choose('x'), k: task(), x: task(['k']) };
    expect(statusesOf(steps, 'x')).toEqual({ p: 'succeeded', k: 'succeeded', x: 'succeeded' });
    expect(statusesOf(steps, 'no')).toEqual({ p: 'succeeded', k: 'succeeded', x: 'not-chosen' });
  });

  test('a target that names its branch as a need too is still skipped when not chosen', () => {
    expect(statusesOf({ p: choose('x'), x: task(['p']) }, 'no')).toMatchObject({ x: 'not-chosen' });
    expect(statusesOf({ p: choose('x'), x: task(['p'], { join: 'settled' }) }, 'no')).toMatchObject({
      x: 'not-chosen',
    });
    expect(statusesOf({ p: choose('x'), x: task(['p'], { join: 'any' }) }, 'no')).toMatchObject({
      x: 'upstream-skipped',
    });
  });

  test('a target of several branches runs once when any chose it', () => {
    const steps = { p: choose('x', 'y'), q: choose('z', 'x'), x: task(), y: task(), z: task() };
    expect(statusesOf(steps, 'x')).toMatchObject({ x: 'succeeded', y: 'not-chosen', z: 'not-chosen' });
    expect(statusesOf(steps, 'z')).toMatchObject({ x: 'not-chosen', y: 'succeeded', z: 'succeeded' });
  });

  test('the cone below a failure is skipped as upstream-failed, also through skipped steps', () => {
    const bad = { kind: 'task', use: 'flotilla.fail', input: { times: 9 }, retry: { maxAttempts: 1 } };
    const steps = {
      bad,
      ok: task(),
      a: task(['bad']),
      b: task(['a', 'ok']),
      c: task(['a'], { join: 'settled' }),
      d: task(['a', 'ok'], { join: 'any' }),
    };
    expect(statusesOf(steps, null, { failFast: false })).toEqual({
      bad: 'failed',
      ok: 'succeeded',
      a: 'upstream-failed',
      b: 'upstream-failed',
      c: 'succeeded',
      d: 'succeeded',
    });
  });

  test('a migrated if-then-go-on runs what comes after in both ways', () => {
    const agent = (id: string, next: string | null) => ({ id, name: id, kind: 'agent', agentId: 'w', next });
    const document = {
      id: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
      name: 'legacy',
      version: '1.0.0',
      entry: 'p',
      steps: {
        p: { id: 'p', name: 'p', kind: 'branch', branches: [{ when: 'extra', to: 'x' }], next: 'z' },
        x: agent('x', 'z'),
        z: agent('z', null),
      },
    };
    const handlers = { 'agent:w': builtIn['flotilla.echo']! };
    const statuses = (input: Json) =>
      Object.values(simulateRun(compile(document), input, handlers).steps).map(({ status }) => status);
    expect(statuses({ extra: true })).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(statuses({})).toEqual(['succeeded', 'skipped', 'succeeded']);
  });
});

type Fate = 'succeeds' | 'fails' | 'when-false';
interface RandomStep {
  needs: number[];
  join: JoinRule;
  fate: Fate;
  ms: number;
}

const randomSteps: fc.Arbitrary<RandomStep[]> = fc.integer({ min: 1, max: 12 }).chain((size) =>
  fc.tuple(
    ...Array.from({ length: size }, (_, index) =>
      fc.record({
        needs: fc.uniqueArray(fc.nat(Math.max(0, index - 1)), { maxLength: index === 0 ? 0 : 4 }),
        join: fc.constantFrom<JoinRule>('all', 'any', 'settled'),
        fate: fc.constantFrom<Fate>('succeeds', 'succeeds', 'fails', 'when-false'),
        ms: fc.nat(20),
      }),
    ),
  ),
);

/** The rules of the language by recursion over needs, for runs in which every step settles (`failFast: false`). */
function expectedStatuses(steps: readonly RandomStep[]): string[] {
  const results: string[] = [];
  for (const { needs, join, fate } of steps) {
    const above = needs.map((need) => results[need]!);
    const failed = above.some((result) => result === 'failed' || result === 'upstream-failed');
    const succeeded = above.includes('succeeded');
    const runs = needs.length === 0 || join === 'settled' || (join === 'any' ? succeeded : succeeded && !failed);
    if (!runs) results.push(failed ? 'upstream-failed' : 'upstream-skipped');
    else results.push({ succeeds: 'succeeded', fails: 'failed', 'when-false': 'when-false' }[fate]);
  }
  return results;
}

function definitionOf(steps: readonly RandomStep[], failFast: boolean) {
  const documents = steps.map(({ needs, join, fate, ms }, index): [string, StepDefinition] => [
    `s${index}`,
    {
      kind: 'task',
      use: fate === 'fails' ? 'fail' : 'sleep',
      input: { ms },
      needs: needs.map((need) => `s${need}`),
      join,
      retry: { maxAttempts: 1 },
      ...(fate === 'when-false' ? { when: 'run.input.never' } : {}),
    },
  ]);
  return { flotilla: 1, name: 'random', failFast, steps: Object.fromEntries(documents) };
}

const randomHandlers: Record<string, SimulatedHandler> = {
  sleep: ({ input }) => ({ afterMs: fieldsOf(input).ms, output: input }),
  fail: ({ input }) => ({ afterMs: fieldsOf(input).ms, error: new Error('asked to fail') }),
};

describe('random workflows', () => {
  test('settle every step as the rules say, whatever the order in which steps end', () => {
    fc.assert(
      fc.property(randomSteps, (steps) => {
        const run = simulateRun(compile(definitionOf(steps, false)), { never: false }, randomHandlers);
        const results = steps.map((_, index) => run.steps[`s${index}`]!).map(({ status, reason }) => reason ?? status);
        const expected = expectedStatuses(steps);
        expect(results).toEqual(expected);
        expect(run.status).toBe(expected.includes('failed') ? 'failed' : 'succeeded');
      }),
      { numRuns: 500 },
    );
  });

  test('start no step before its needs have settled (G5; C1: a chain never overlaps)', () => {
    fc.assert(
      fc.property(randomSteps, (steps) => {
        const run = simulateRun(compile(definitionOf(steps, false)), { never: false }, randomHandlers);
        for (const [index, { needs, join }] of steps.entries()) {
          const { startedAtMs } = run.steps[`s${index}`]!;
          if (startedAtMs === undefined || needs.length === 0) continue;
          const settled = needs.map((need) => run.steps[`s${need}`]!.settledAtMs!);
          expect(startedAtMs).toBeGreaterThanOrEqual(join === 'any' ? Math.min(...settled) : Math.max(...settled));
        }
      }),
    );
  });

  test('with failFast end at the first failure with every step settled', () => {
    fc.assert(
      fc.property(randomSteps, (steps) => {
        const run = simulateRun(compile(definitionOf(steps, true)), { never: false }, randomHandlers);
        const all = Object.values(run.steps);
        expect(all.every(({ status }) => isSettledStepStatus(status))).toBe(true);
        const failures = all.filter(({ status }) => status === 'failed');
        expect(failures.length > 0 ? 'failed' : 'succeeded').toBe(run.status);
        expect(failures.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
