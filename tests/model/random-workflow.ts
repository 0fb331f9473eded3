import type { StepDefinition, WorkflowDefinition } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import fc from 'fast-check';

/** Long enough that no timer ends by itself while a test runs: tests move due times by hand. */
export const FAR_MS = 3_600_000;

interface StepSeed {
  kind: 'task' | 'delay' | 'branch' | 'map';
  needs: readonly number[];
  /** Needs the step before it, when it would need none: chains are what workers go on in. */
  chained: boolean;
  join: 'all' | 'any' | 'settled' | undefined;
  conditional: boolean;
  queued: boolean;
  total: boolean;
  targets: readonly number[];
  concurrency: number;
  tolerated: number;
  isTolerated: boolean;
  compensated: boolean;
}

const stepSeed: fc.Arbitrary<StepSeed> = fc.record({
  kind: fc.constantFrom('task', 'task', 'task', 'task', 'map', 'branch', 'delay'),
  needs: fc.array(fc.nat(20), { maxLength: 3 }),
  chained: fc.nat(3).map((n) => n > 0),
  join: fc.constantFrom(undefined, undefined, 'all', 'any', 'settled'),
  conditional: fc.nat(7).map((n) => n === 7),
  queued: fc.nat(5).map((n) => n === 5),
  total: fc.nat(5).map((n) => n === 5),
  targets: fc.array(fc.nat(20), { maxLength: 2 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  tolerated: fc.nat(1),
  isTolerated: fc.nat(3).map((n) => n === 3),
  compensated: fc.nat(2).map((n) => n === 2),
});

/**
 * Small workflows with all joins, kinds and settings that state knows of. Conditions and lists are constants: what they
 * give is the scheduler's answer, and the test gives that at random.
 */
export const workflowArbitrary: fc.Arbitrary<WorkflowDefinition> = fc
  .record({
    steps: fc.array(stepSeed, { minLength: 1, maxLength: 7 }),
    failFast: fc.boolean(),
    hasOutput: fc.nat(3).map((n) => n === 3),
    hasTimeout: fc.nat(3).map((n) => n === 3),
    hasBudget: fc.nat(5).map((n) => n === 5),
  })
  .map(({ steps, failFast, hasOutput, hasTimeout, hasBudget }) => ({
    flotilla: 1 as const,
    name: 'random',
    failFast,
    steps: Object.fromEntries(steps.map((seed, index) => [idOf(index), stepOf(seed, index, steps.length)])),
    ...(hasOutput ? { output: { done: true } } : {}),
    ...(hasTimeout ? { timeoutMs: FAR_MS } : {}),
    ...(hasBudget ? { budget: { maxSteps: steps.length + 3 } } : {}),
  }));

const idOf = (index: number) => String.fromCharCode(97 + index);

function stepOf(seed: StepSeed, index: number, count: number): StepDefinition {
  const chosen = seed.needs.length === 0 && seed.chained ? [index - 1] : seed.needs;
  const needs = index === 0 ? [] : [...new Set(chosen.map((need) => idOf(need % index)))];
  const later = count - index - 1;
  const targets = later === 0 ? [] : [...new Set(seed.targets.map((target) => idOf(index + 1 + (target % later))))];
  const timeouts = {
    ...(seed.queued ? { queuedMs: FAR_MS } : {}),
    ...(seed.total ? { totalMs: FAR_MS } : {}),
  };
  const common = {
    ...(needs.length > 0 ? { needs } : {}),
    ...(needs.length > 0 && seed.join !== undefined ? { join: seed.join } : {}),
    ...(seed.conditional ? { when: 'true' } : {}),
  };
  const undone = seed.compensated ? { compensate: 'undo' } : {};
  switch (seed.kind) {
    case 'task':
      return {
        kind: 'task',
        use: 'work',
        timeouts,
        ...undone,
        ...common,
        ...(seed.isTolerated ? { tolerate: true } : {}),
      };
    case 'delay':
      return { kind: 'delay', forMs: FAR_MS, ...common };
    case 'branch': {
      const [first, otherwise] = targets;
      return {
        kind: 'branch',
        cases: first === undefined ? [] : [{ when: 'true', to: first }],
        ...(otherwise === undefined ? {} : { otherwise }),
        ...common,
      };
    }
    case 'map':
      return {
        kind: 'map',
        over: '[1, 2]',
        each: { kind: 'task', use: 'work', timeouts, ...undone },
        concurrency: seed.concurrency,
        tolerate: { failures: seed.tolerated },
        ...common,
      };
  }
}

/** The plan of a workflow that this file made. */
export function compileRandom(definition: WorkflowDefinition): Plan {
  const compiled = compileWorkflow(definition);
  if (!compiled.ok) throw new Error(`a random workflow does not compile: ${JSON.stringify(compiled.problems)}`);
  return compiled.plan;
}
