import { compileWorkflow } from '@flotilla/engine';
import { describe, expect, test } from '@jest/globals';
import { definitionOf, type Graph, needsPerStep, stepsOf } from './graphs.ts';

const GRAPHS: [string, Graph][] = [
  ['a chain', { kind: 'chain', steps: 10, stepMs: 50, lastStepMs: 4000 }],
  ['a fan', { kind: 'fan', width: 8 }],
  ['small layers', { kind: 'layers', layers: 5, width: 2 }],
  ['large layers', { kind: 'layers', layers: 20, width: 20 }],
];

test.each(GRAPHS)('%s compiles to as many steps as it is said to have', (_title, graph) => {
  const compiled = compileWorkflow(definitionOf(graph));
  expect(compiled).toMatchObject({ ok: true, warnings: [] });
  expect(Object.keys(definitionOf(graph).steps)).toHaveLength(stepsOf(graph));
});

describe('layers', () => {
  test.each([2, 4, 10, 100])('of %p steps need two others a step, and pairs need the same two', (width) => {
    const { steps } = definitionOf({ kind: 'layers', layers: 3, width });
    for (let index = 0; index < width; index += 2) {
      const [one, other] = [steps[`s2-${index}`]!.needs!, steps[`s2-${index + 1}`]!.needs!];
      expect(other).toEqual(one);
      expect(new Set(one).size).toBe(2);
    }
  });

  test('that are large have little more needs a step than small ones: the entry layer has none', () => {
    expect(needsPerStep({ kind: 'layers', layers: 5, width: 2 })).toBeCloseTo(1.6);
    expect(needsPerStep({ kind: 'layers', layers: 100, width: 100 })).toBeCloseTo(1.98);
  });
});
