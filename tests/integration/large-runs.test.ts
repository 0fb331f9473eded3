import { findViolations } from '@flotilla/checker';
import { type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const STEPS = 10_000;
const LAYERS = 100;
const WIDTH = STEPS / LAYERS;
const RUN_MS = 120_000;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers: 2 });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

function echo(...needs: string[]): object {
  return { kind: 'task', use: 'flotilla.echo', input: 1, ...(needs.length > 0 && { needs }) };
}

/** One step, all the others but one, and one that needs all of these. */
function fan(): Record<string, object> {
  const middle = Array.from({ length: STEPS - 2 }, (_, index) => `s${index}`);
  return {
    first: echo(),
    ...Object.fromEntries(middle.map((id) => [id, echo('first')])),
    last: echo(...middle),
  };
}

/** Layers of which each step needs three of the layer before. */
function layers(): Record<string, object> {
  const steps: Record<string, object> = {};
  for (let layer = 0; layer < LAYERS; layer += 1) {
    for (let index = 0; index < WIDTH; index += 1) {
      const needs = [0, 1, 33].map((shift) => `s${layer - 1}-${(index + shift) % WIDTH}`);
      steps[`s${layer}-${index}`] = layer === 0 ? echo() : echo(...needs);
    }
  }
  return steps;
}

describe('G2 a run of 10,000 steps', () => {
  test.each([
    ['a fan', fan()],
    ['a graph of 100 layers', layers()],
  ])(
    '%s succeeds, and its history and steps can be read whole',
    async (title, steps) => {
      expect(Object.keys(steps)).toHaveLength(STEPS);
      const { runId } = await fleet.api.start(
        { definition: { flotilla: 1, name: 'large', steps } },
        { timeoutMs: 60_000 },
      );
      await fleet.api.waitForEnd([runId], { timeoutMs: RUN_MS, intervalMs: 100 });
      const record = await fleet.api.record(runId);
      expect(record.run.status).toBe('succeeded');
      const committed = record.events.filter(({ type }) => type === 'step-succeeded');
      expect(committed).toHaveLength(STEPS);
      expect(new Set(committed.map(({ stepId }) => stepId)).size).toBe(STEPS);
      expect(record.steps).toHaveLength(STEPS);
      expect(new Set(record.steps.map(({ stepId }) => stepId))).toEqual(new Set(Object.keys(steps)));
      expect(record.steps.filter(({ status, attempts }) => status !== 'succeeded' || attempts !== 1)).toEqual([]);
      expect(findViolations(record, { maxAttempts: 1 })).toEqual([]);
      const tookMs = record.events.at(-1)!.at - record.events[0]!.at;
      const rate = Math.round((STEPS / tookMs) * 1000);
      process.stdout.write(`large runs: ${title}: ${STEPS} steps in ${tookMs} ms (${rate} a second)\n`);
    },
    RUN_MS + 60_000,
  );
});
