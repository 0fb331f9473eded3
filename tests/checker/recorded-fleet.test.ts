import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chanceOf } from '@flotilla/chaos';
import { type Recording, readRecording, writeRecording } from '@flotilla/checker';
import { startStopwatch, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { judge, named } from './kill-mutants.ts';
import { MUTANTS } from './mutants/index.ts';
import { realBounds, recordFleet } from './recorded-fleet.ts';

/** What the recorded fleet does not have, or may have. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'a run stands still after Redis is back',
  'a BullMQ task is left waiting',
  'a prioritized BullMQ task is left',
  'a run is retried that has not ended',
  'a retry commits a step again that had succeeded',
]);
const chance = chanceOf();
const folder = mkdtempSync(join(tmpdir(), 'flotilla-test-'));

let recording: Recording;
let bounds: ReturnType<typeof realBounds>;
beforeAll(async () => {
  const startedMs = performance.now();
  const machineMs = startStopwatch();
  process.stdout.write(`recorded fleet: seed ${chance.seed}\n`);
  recording = await recordFleet(testNamespace(import.meta.url), folder);
  bounds = realBounds((performance.now() - startedMs) / machineMs());
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('a fleet that was recorded while a worker was killed', () => {
  test('breaks no invariant', () => {
    expect(judge(recording, bounds)).toEqual({ invariants: [], text: '' });
  });

  test('has something of every part', () => {
    for (const [part, items] of Object.entries(recording)) expect([part, items.length]).not.toEqual([part, 0]);
  });

  test('is read again from its folder as it was recorded, and as it is written there', () => {
    expect(readRecording(folder)).toEqual(recording);
    const copy = join(folder, 'copy');
    writeRecording(copy, recording);
    expect(readRecording(copy)).toEqual(recording);
  });

  describe.each(Object.entries(MUTANTS))('%s', (invariant, mutants) => {
    const here = mutants.filter(({ name }) => !NOT_HERE.has(name));
    test.each(here.map((mutant) => [mutant.name, mutant] as const))('alone is named when %s', (_, mutant) => {
      const { invariants, text } = named(recording, mutant, chance, bounds);
      expect({ invariants, text }).toEqual({ invariants: [invariant], text: expect.stringContaining(invariant) });
    });
  });
});
