import { findLeftovers, findViolations } from '@flotilla/checker';
import { checkReplay, eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { corpusFolder, montageFile, readReplay, taskGraphFiles } from './corpus.ts';

const WORKERS = 4;
const files = taskGraphFiles();
/** What the engine may add to a task on a loaded machine; the figure itself is printed. */
const MOST_OVERHEAD_MS = 40;

let fleet: Fleet;
beforeAll(async () => {
  if (files.length === 1) {
    process.stdout.write(`corpus: nothing at ${corpusFolder}; only the Montage example is replayed\n`);
  }
  // One attempt at a time each, so that what runs at once is what the checks bound.
  fleet = await startFleet({
    namespace: testNamespace(import.meta.url),
    workers: WORKERS,
    workerEnv: { FLOTILLA_CONCURRENCY: '1' },
  });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

describe('G2 G5 G6 every task graph replays without waiting', () => {
  test.each(files.map((file) => [file.replace(/^.*\//, ''), file] as const))(
    '%s passes the checks of a replay',
    async (_name, file) => {
      const { name, definition, graph, tasks } = await readReplay(file, 0);
      const record = await fleet.api.runToEnd({ definition }, 90_000);
      const report = checkReplay(record, graph, { slots: WORKERS });
      expect([...report.violations, ...findViolations(record, { needs: graph.needs, maxAttempts: 1 })]).toEqual([]);
      const rate = Math.round((tasks / Math.max(1, report.makespanMs)) * 1000);
      process.stdout.write(`corpus: ${name}: ${tasks} tasks in ${report.makespanMs} ms (${rate} a second)\n`);
    },
    100_000,
  );
});

test('G2 a replay in scaled time keeps to the bound of a scheduler that never idles', async () => {
  const { definition, graph, tasks } = await readReplay(montageFile, 0.02);
  const record = await fleet.api.runToEnd({ definition }, 60_000);
  const report = checkReplay(record, graph, { slots: WORKERS, overheadMsPerTask: MOST_OVERHEAD_MS });
  expect(report.violations).toEqual([]);
  process.stdout.write(
    `corpus: montage in scaled time: ${tasks} tasks, serial ${report.serialMs} ms, critical path ` +
      `${report.criticalPathMs} ms, makespan ${report.makespanMs} ms, overhead ${report.overheadMsPerTask.toFixed(2)} ms a task\n`,
  );
}, 70_000);

test('G6 nothing is left queued, active or locked when all runs have ended', async () => {
  let left: string[] = [];
  const atRest = async () => {
    left = await findLeftovers(fleet.redisUrl, fleet.namespace);
    return left.length === 0;
  };
  // Looking again after a hint that was long taken is itself a due entry of 5 s.
  await eventually(atRest, { timeoutMs: 12_000, intervalMs: 100 }).catch(() => undefined);
  expect(left).toEqual([]);
}, 15_000);
