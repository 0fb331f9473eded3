import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { chanceOf, keepSoak, reportOfSoak, runSoak, type SoakReport, textOfSoak } from '@flotilla/chaos';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const DURATION_MS = 90_000;
const MOST_MS = 600_000;

describe('a soak of a minute and a half', () => {
  let report: SoakReport;

  beforeAll(async () => {
    const { seed } = chanceOf();
    process.stdout.write(`soak: seed ${seed}\n`);
    const result = await runSoak({
      seed,
      durationMs: DURATION_MS,
      faults: ['F1', 'F6', 'F12'],
      workers: 3,
      schedulers: 2,
      leakBytesARun: 0,
      tell: (line) => process.stdout.write(`soak: ${line}\n`),
    });
    report = reportOfSoak(result, availableParallelism());
  }, MOST_MS);

  afterAll(() => {
    if (report === undefined) return;
    process.stdout.write(`${textOfSoak(report)}\n`);
    if (report.wrong.length === 0) return;
    const { seed } = report.result.options;
    keepSoak(fileURLToPath(new URL(`../../.flotilla/chaos/soak-${seed}`, import.meta.url)), report);
  });

  test('makes its faults, and each hits', () => {
    const { faults } = report.result;
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.filter(({ proof }) => proof.length === 0)).toEqual([]);
  });

  test('checks the history of every run before it is removed, and finds nothing wrong', () => {
    const { runs, violations, problems, doubleCommits } = report.result;
    expect(runs.ended).toBeGreaterThan(0);
    expect(runs.checked).toBe(runs.accepted);
    expect({ violations, problems, doubleCommits }).toEqual({ violations: [], problems: [], doubleCommits: 0 });
  });

  test('leaves no key behind that has neither an owner nor a time to live', () => {
    expect(report.result.strayKeys).toEqual([]);
  });

  test('has series of both schedulers, of the worker that is spared, of an idle process and of Redis', () => {
    const { processes } = report;
    expect(processes.map(({ kind }) => kind).sort()).toEqual(['idle', 'redis', 'scheduler', 'scheduler', 'worker']);
    for (const { kind, series } of processes) {
      expect(series.length).toBeGreaterThanOrEqual(kind === 'redis' ? 2 : 5);
      for (const { samples, slope } of series) {
        expect(samples).toBeGreaterThan(10);
        expect(slope).toBeDefined();
      }
    }
  });
});
