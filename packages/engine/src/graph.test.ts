import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileWorkflow } from './compile-workflow.ts';
import { findCycles } from './find-cycles.ts';
import { childrenOf, orderSteps } from './order-steps.ts';
import { PlanCache } from './plan-cache.ts';
import { ProblemList } from './problem-list.ts';
import { readStepGraph, renumberByDepth } from './step-graph.ts';

/** A graph without circles: each step needs some of those before it. */
const dag = fc
  .integer({ min: 1, max: 30 })
  .chain((size) =>
    fc.tuple(
      ...Array.from({ length: size }, (_, index) =>
        fc.uniqueArray(fc.nat(Math.max(0, index - 1)), { maxLength: index === 0 ? 0 : 5 }),
      ),
    ),
  );

const anyGraph = fc
  .integer({ min: 1, max: 12 })
  .chain((size) => fc.array(fc.uniqueArray(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }));

/** Kahn in its plainest form: take what has no open needs, until nothing is left. */
function referenceLevels(parents: readonly (readonly number[])[]): Map<number, number> {
  const level = new Map<number, number>();
  let changed = true;
  while (changed) {
    changed = false;
    for (const [step, needs] of parents.entries()) {
      if (level.has(step) || !needs.every((need) => level.has(need))) continue;
      level.set(step, 1 + Math.max(0, ...needs.map((need) => level.get(need)!)));
      changed = true;
    }
  }
  return level;
}

function reaches(parents: readonly (readonly number[])[], from: number, to: number): boolean {
  const children = childrenOf(parents);
  const seen = new Set(children[from]);
  for (const step of seen) for (const child of children[step]!) seen.add(child);
  return seen.has(to);
}

describe('ordering steps', () => {
  test('a random graph without circles is ordered with each step after its needs, at its true depth', () => {
    fc.assert(
      fc.property(dag, (parents) => {
        const { sorted, depths } = orderSteps({ parents });
        const place = new Map(sorted.map((step, position) => [step, position]));
        expect(place.size).toBe(parents.length);
        for (const [step, needs] of parents.entries()) {
          for (const need of needs) expect(place.get(need)!).toBeLessThan(place.get(step)!);
        }
        expect(new Map(depths.entries())).toEqual(new Map([...referenceLevels(parents)].sort(([a], [b]) => a - b)));
        expect(findCycles({ parents }, { sorted, depths })).toEqual([]);
      }),
    );
  });

  test('circles are found exactly where the reference cannot go on, and are circles', () => {
    fc.assert(
      fc.property(anyGraph, (parents) => {
        const order = orderSteps({ parents });
        const levels = referenceLevels(parents);
        expect(new Set(order.sorted)).toEqual(new Set(levels.keys()));
        const cycles = findCycles({ parents }, order);
        expect(cycles.length > 0).toBe(levels.size < parents.length);
        const onCircle = parents.map((_, step) => reaches(parents, step, step));
        for (const cycle of cycles) {
          expect(new Set(cycle).size).toBe(cycle.length);
          for (const [position, step] of cycle.entries()) {
            expect(onCircle[step]).toBe(true);
            expect(parents[cycle[(position + 1) % cycle.length]!]).toContain(step);
          }
        }
        // One circle for each set of steps that reach each other: no set is left out and none is told twice.
        for (const [step, isOn] of onCircle.entries()) {
          if (!isOn) continue;
          const told = cycles.filter(
            ([first]) => first === step || (reaches(parents, first!, step) && reaches(parents, step, first!)),
          );
          expect(told).toHaveLength(1);
        }
      }),
    );
  });

  test('the plan of a random graph has the reference depth and each need as an edge', () => {
    fc.assert(
      fc.property(dag, (parents) => {
        const steps = Object.fromEntries(
          parents.map((needs, step) => [
            `s${step}`,
            { kind: 'task', use: 'u', needs: needs.map((need) => `s${need}`) },
          ]),
        );
        const compiled = compileWorkflow({ flotilla: 1, name: 'g', steps }, { cache: new PlanCache() });
        if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
        const { plan } = compiled;
        expect(plan.depth).toBe(Math.max(...referenceLevels(parents).values()));
        for (const step of plan.steps) {
          const group = plan.groups[step.group]!;
          expect(group.members).toContain(step.index);
          const needs = parents[Number(step.id.slice(1))]!.map((need) => plan.stepIndex.get(`s${need}`)!);
          expect(step.needs).toEqual(needs.sort((left, right) => left - right));
          const feeding = plan.steps.filter(({ edges }) => edges.some((edge) => edge.group === group.index));
          expect(feeding.map(({ index }) => index)).toEqual(step.needs);
          expect(group.needs).toBe(step.needs.length);
          expect(step.endStep).toBe(step.edges.length === 0);
        }
        const memberCount = plan.groups.reduce((sum, { members }) => sum + members.length, 0);
        expect(memberCount).toBe(plan.steps.length);
      }),
    );
  });
});

test('a graph of half a million edges is read and renumbered with a turn for others after every fifty thousand', () => {
  const steps = Object.fromEntries(
    Array.from({ length: 1000 }, (_, index) => [
      `s${index}`,
      { kind: 'task', use: 'x', needs: Array.from({ length: index }, (_need, need) => `s${need}`) },
    ]),
  );
  const reading = readStepGraph(steps, new ProblemList());
  let turns = 0;
  let read = reading.next();
  for (; read.done !== true; read = reading.next()) turns += 1;
  const { depths } = orderSteps(read.value);
  for (const _ of renumberByDepth(read.value, depths)) turns += 1;
  // Needs and parents, each read and each renumbered: nine times fifty thousand edges.
  expect(turns).toBeGreaterThanOrEqual(4 * 9);
});
