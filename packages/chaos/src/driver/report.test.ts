import { EMPTY_RECORDING } from '@flotilla/checker';
import { describe, expect, test } from '@jest/globals';
import { planEachWay } from './plan-each-way.ts';
import { isClean } from './report.ts';
import type { ChaosResult } from './run-chaos.ts';
import { findUnanswered } from './unanswered.ts';

const hit = {
  planned: planEachWay('F1', 1)[0]!,
  startAt: 1000,
  endAt: 1000,
  targets: ['w-1'],
  proof: ['SIGKILL'],
  isAlone: true,
  boundMs: 12_000,
  recoveriesMs: [],
};

const runs = {
  submitted: 10,
  ended: 10,
  succeeded: 10,
  asPredicted: 10,
  predicted: 10,
  lost: 0,
  lostWithRedis: 0,
  unanswered: 0,
  unansweredWithRedis: 0,
};

const right: ChaosResult = {
  seed: 7,
  faults: [hit],
  runs,
  treated: { keysAgain: 0, progressFound: 0, cancelled: 0, compensations: 0 },
  doubleCommits: 0,
  steps: 50,
  refusedCommits: 0,
  longestStall: { ms: 0, runId: '', afterSeq: 0 },
  problems: [],
  violations: [],
  lostWithRedis: [],
  recording: EMPTY_RECORDING,
  logs: new Map(),
};

describe('a chaos run', () => {
  test('is clean when nothing was wrong and every fault hit', () => {
    expect(isClean(right)).toBe(true);
    expect(isClean({ ...right, problems: ['G1 load-1 was accepted and is not there'] })).toBe(false);
    expect(isClean({ ...right, violations: [{ invariant: 'V3', message: '', evidence: [] }] })).toBe(false);
    expect(isClean({ ...right, faults: [{ ...hit, proof: [] }] })).toBe(false);
  });

  test('is not clean when a submission was never answered, unless Redis took what it had been answered', () => {
    expect(isClean({ ...right, runs: { ...runs, unanswered: 1 } })).toBe(false);
    expect(isClean({ ...right, runs: { ...runs, unanswered: 2, unansweredWithRedis: 1 } })).toBe(false);
    expect(isClean({ ...right, runs: { ...runs, unanswered: 2, unansweredWithRedis: 2 } })).toBe(true);
  });
});

test('a submission that was never answered is told of, unless its run has gone with Redis', () => {
  const unanswered = new Map([
    ['load-1', 'answered 503'],
    ['load-2', 'no answer'],
  ]);
  expect(findUnanswered(unanswered, [])).toEqual([
    'load-1 was submitted and never answered: answered 503',
    'load-2 was submitted and never answered: no answer',
  ]);
  expect(findUnanswered(unanswered, [{ invariant: 'V1', runId: 'load-2' }])).toHaveLength(1);
  // Something else of the run that has gone explains nothing.
  expect(findUnanswered(unanswered, [{ invariant: 'V10', runId: 'load-2' }])).toHaveLength(2);
});
