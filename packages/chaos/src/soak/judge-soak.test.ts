import { describe, expect, test } from '@jest/globals';
import { planEachWay } from '../driver/plan-each-way.ts';
import type { JudgedSeries } from './judge-series.ts';
import { findFaultsOf, findUndecided, type JudgedProcess, judgeProcesses, verdictOf } from './judge-soak.ts';
import { LAG_LIMITS_MS, type ProcessSample } from './process-sample.ts';
import type { RedisSample } from './redis-sample.ts';
import type { SoakResult } from './run-soak.ts';
import type { ProcessSeries } from './sampler.ts';

const MINUTE_MS = 60_000;
const MB = 1024 * 1024;
const EVERY_MS = 6000;
const lagCounts = LAG_LIMITS_MS.map((limit) => (limit === 2 ? 100 : 0));

/** Heap from the first minute on, one megabyte more each minute. */
function growing(id: string, kind: ProcessSeries['kind'], minutes: number, isSpared: boolean): ProcessSeries {
  const samples = Array.from({ length: (minutes * MINUTE_MS) / EVERY_MS }, (_, index): ProcessSample => {
    const at = index * EVERY_MS;
    const heapBytes = 40 * MB + Math.max(0, at / MINUTE_MS - 1) * MB;
    return { at, heapBytes, externalBytes: 0, rssBytes: 0, handles: 5, timers: 1, lagCounts };
  });
  return { id, kind, isSpared, samples };
}

function judge(minutes: number, fromMinute = 0) {
  const processes = [
    growing('w-spared', 'worker', minutes, true),
    growing('w-hit', 'worker', minutes, false),
    growing('idle', 'idle', minutes, true),
  ];
  const [fromAt, untilAt] = [fromMinute * MINUTE_MS, minutes * MINUTE_MS];
  const window = { pacePerSecond: 10, fromAt, untilAt, measuredMs: untilAt - fromAt, runs: minutes * 600 };
  return judgeProcesses({ processes, redis: [] }, window);
}

const clean = {
  faults: [{ planned: planEachWay('F1', 1)[0]!, proof: ['SIGKILL'] }],
  problems: [],
  violations: [],
  lostWithRedis: [],
  strayKeys: [],
  doubleCommits: 0,
  runs: { ended: 1, checked: 1, unanswered: [] },
} as unknown as SoakResult;

describe('the judgement of a soak', () => {
  test('is of processes that were spared, and of Redis', () => {
    expect(judge(10).map(({ id }) => id)).toEqual(['w-spared', 'idle', 'redis']);
  });

  test('tells that a heap grows', () => {
    const [worker] = judge(10);
    expect(worker?.series.find(({ metric }) => metric === 'heap')?.verdict).toBe('grows');
    expect(worker?.series.find(({ metric }) => metric === 'handles')?.verdict).toBe('flat');
  });

  test('is not made of what was measured for less than six minutes', () => {
    expect(judge(5).flatMap(({ series }) => series.map(({ verdict }) => verdict))).not.toContain('grows');
  });

  test('leaves out what was before', () => {
    const [whole] = judge(20, 0);
    const [later] = judge(20, 10);
    const samplesOf = (judged: typeof whole) => judged?.series.find(({ metric }) => metric === 'heap')?.samples;
    expect(samplesOf(whole)).toBe(200);
    expect(samplesOf(later)).toBe(100);
  });

  test('does not blame Redis for growing with a pace that was not kept', () => {
    const redis = Array.from({ length: 200 }, (_, index): RedisSample => {
      return { at: index * EVERY_MS, memoryBytes: index * MB, keys: index * 100, aofBytes: 0, clients: 5 };
    });
    const window = { pacePerSecond: 10, fromAt: 0, untilAt: 20 * MINUTE_MS, measuredMs: 20 * MINUTE_MS };
    const verdicts = (runs: number) =>
      judgeProcesses({ processes: [], redis }, { ...window, runs }).flatMap(({ series }) =>
        series.map(({ verdict }) => verdict),
      );
    expect(verdicts(12_000)).toEqual(['grows', 'grows']);
    expect(verdicts(6000)).toEqual(['open', 'open']);
  });

  test('says of what nothing was measured', () => {
    expect(findFaultsOf(clean, [{ id: 'w-1', kind: 'worker', series: [] }])).toEqual(['nothing was measured of w-1']);
  });

  test('is not that it is clean when no fault was made', () => {
    expect(findFaultsOf(clean, [])).toEqual([]);
    expect(findFaultsOf({ ...clean, faults: [] }, [])).toEqual(['no fault was made']);
  });

  test('is not that it is clean when a submission was never answered', () => {
    const runs = { ...clean.runs, unanswered: ['run 3: no answer'] };
    expect(findFaultsOf({ ...clean, runs }, [])).toEqual(['1 submissions were never answered: run 3: no answer']);
  });

  test('says what it leaves open', () => {
    const series = (metric: string, verdict: JudgedSeries['verdict']): JudgedSeries => {
      return { metric, unit: 'bytes', samples: 50, level: 0, boundPerHour: 0, verdict };
    };
    const judged: JudgedProcess[] = [
      {
        id: 'w-1',
        kind: 'worker',
        series: [series('heap', 'open'), series('rss', 'flat'), series('handles', 'grows')],
      },
      { id: 'redis', kind: 'redis', series: [series('keys', 'too short')] },
    ];
    const undecided = findUndecided(judged);
    expect(undecided).toEqual(['heap of w-1', 'keys of redis (too short)']);
    expect(verdictOf([], undecided)).toBe('CLEAN, and not decided: heap of w-1, keys of redis (too short)');
    expect(verdictOf(['handles of w-1 grows'], undecided)).toMatch(/^NOT CLEAN, and not decided: heap of w-1/);
    expect(verdictOf([], [])).toBe('CLEAN');
  });
});
