import { DEFAULT_FLAGS } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { isOnForRun } from './is-on-for-run.ts';

const runs = Array.from({ length: 10_000 }, (_, index) => `07-run-${index}`);
const chosen = (percent: number, name: 'spread-retries' | 'isolate-suspects' = 'spread-retries') =>
  new Set(runs.filter((runId) => isOnForRun({ ...DEFAULT_FLAGS, [name]: percent }, name, runId)));

describe('a flag', () => {
  test('is on for its share of the runs, for all of them, or for none', () => {
    expect([chosen(0).size, chosen(100).size]).toEqual([0, runs.length]);
    expect(Math.abs(chosen(25).size / runs.length - 0.25)).toBeLessThan(0.02);
  });

  test('stays on for a run when its percentage grows', () => {
    const more = chosen(40);
    for (const runId of chosen(20)) expect(more.has(runId)).toBe(true);
  });

  test('chooses other runs than another flag', () => {
    const other = chosen(50, 'isolate-suspects');
    const both = [...chosen(50)].filter((runId) => other.has(runId)).length;
    expect(Math.abs(both / runs.length - 0.25)).toBeLessThan(0.02);
  });
});
