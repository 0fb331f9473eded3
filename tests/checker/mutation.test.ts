import { type Chance, chanceOf } from '@flotilla/chaos';
import {
  checkRecording,
  explain,
  INVARIANTS,
  judgeRecording,
  type Recording,
  type StartCall,
  type Violation,
} from '@flotilla/checker';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { goodRecording } from './good-recording.ts';
import { judge, named } from './kill-mutants.ts';
import { type DraftRecording, MUTANTS } from './mutants/index.ts';
import { killRedis } from './mutants/mutant.ts';
import { forgetAttempt, resumeFromOlder } from './mutants/of-steps.ts';
import { forgetRun } from './mutants/of-submissions.ts';

/** The judge of all other tests, judged: it finds nothing in good recordings, and in bad ones what was done to them. */

const ROUNDS = 10;
const { seed } = chanceOf();
const rounds = Array.from({ length: ROUNDS }, (_, round): Chance => chanceOf(seed + round));

beforeAll(() => {
  process.stdout.write(`mutants: seed ${seed}, ${Object.values(MUTANTS).flat().length} mutants\n`);
});

test('every invariant has mutants, and no mutant is for none', () => {
  expect(Object.keys(MUTANTS)).toEqual(INVARIANTS.map(({ id }) => id));
  expect(Object.entries(MUTANTS).filter(([, mutants]) => mutants.length < 2)).toEqual([]);
});

test('a good recording breaks nothing', () => {
  for (const chance of rounds) expect(judge(goodRecording(chance))).toEqual({ invariants: [], text: '' });
});

describe.each(Object.entries(MUTANTS))('%s', (invariant, mutants) => {
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
    'and nothing else is named when %s',
    (_, mutant) => {
      for (const chance of rounds) {
        const { invariants, text } = named(goodRecording(chance), mutant, chance);
        expect({ invariants, text }).toEqual({ invariants: [invariant], text: expect.stringContaining(invariant) });
      }
    },
  );
});

test('a violation is explained by the events that show it', () => {
  const [chance] = rounds as [Chance];
  const recording = goodRecording(chance);
  const [run] = recording.runs;
  const doubled = { ...run!, events: run!.events.toSpliced(5, 0, run!.events[4]!) };
  const text = explain(checkRecording({ ...recording, runs: [doubled, ...recording.runs.slice(1)] }));
  expect(text).toMatch(
    /^V0 run-linear: event 5 has seq 4\n {4}#4 [\d:.]+ step-succeeded a attempt=1 fence=\d+ attemptId=\w+$/m,
  );
});

test('what was acknowledged as fast may be lost in a failover, and nothing else', () => {
  const [chance] = rounds as [Chance];
  const recording = goodRecording(chance);
  const [call] = recording.calls;
  const forgotten = { ...recording, runs: [], effects: [], faults: [], listings: [], scans: [] };
  const all = [{ startAt: call!.startAt, endAt: call!.endAt + 240_000 }];
  expect(explain(checkRecording(forgotten, { bounds: { lossWindows: all } }))).toBe('');
  const early = [{ startAt: 0, endAt: call!.endAt }];
  const { length } = checkRecording(forgotten, { bounds: { lossWindows: early } });
  expect(length).toBeGreaterThan(0);
});

describe('what a Redis that was killed had acknowledged up to 2 s before', () => {
  const losses = { V1: forgetRun, V9: resumeFromOlder, V12: forgetAttempt };
  const cases = Object.entries(losses).flatMap(([id, lose]) => [1, 1990].map((ageMs) => [id, ageMs, lose] as const));

  function judgeLoss(lose: (typeof losses)['V1'], ageMs: number, change: (recording: DraftRecording) => void) {
    const [chance] = rounds as [Chance];
    const recording = structuredClone(goodRecording(chance)) as DraftRecording;
    killRedis(recording, lose(recording, chance), ageMs);
    change(recording);
    return judgeRecording(recording as Recording);
  }

  test.each(cases)('%s may be lost %i ms later, and is counted with its age', (id, ageMs, lose) => {
    const { violations, lostWithRedis } = judgeLoss(lose, ageMs, () => undefined);
    expect(explain(violations)).toBe('');
    const [{ unwrittenAgeMs = 0 }] = lostWithRedis as [Violation];
    expect(lostWithRedis).toMatchObject([{ invariant: id }]);
    expect(unwrittenAgeMs).toBeGreaterThanOrEqual(ageMs);
    expect(unwrittenAgeMs).toBeLessThanOrEqual(2000);
  });

  test.each(Object.entries(losses))('%s must be there when Redis writes before it answers', (id, lose) => {
    const { violations, lostWithRedis } = judgeLoss(lose, 1000, ({ faults }) => {
      delete faults.at(-1)!.unwrittenUntil;
    });
    expect(violations).toMatchObject([{ invariant: id }]);
    expect(lostWithRedis).toEqual([]);
  });

  test('must be there when it was acknowledged after its return', () => {
    const { violations } = judgeLoss(forgetRun, -1, () => undefined);
    expect(violations).toMatchObject([{ invariant: 'V1' }]);
  });

  test('must be there when more than `fast` was promised', () => {
    const { violations } = judgeLoss(forgetRun, 1, ({ calls }) => {
      for (const call of calls)
        if (call.kind === 'start' && call.answer !== undefined) call.answer.durability = 'fsynced';
    });
    expect(violations).toMatchObject([{ invariant: 'V1' }]);
  });

  test('may be asked for again: its key names another run then, and the same run id one that is younger', () => {
    const [chance] = rounds as [Chance];
    const recording = structuredClone(goodRecording(chance)) as DraftRecording;
    const again = recording.calls.findLast((call) => call.kind === 'start' && call.answer !== undefined) as StartCall;
    const startAt = recording.runs.find(({ run }) => run.runId === again.answer!.runId)!.run.createdAt - 1000;
    const first = { ...again, startAt, endAt: startAt + 5, answer: { ...again.answer!, runId: 'gone' } };
    recording.calls.push(structuredClone(first) as DraftRecording['calls'][number]);
    killRedis(recording, first.endAt, 500);
    expect(judgeRecording(recording as Recording)).toMatchObject({
      violations: [],
      lostWithRedis: [{ invariant: 'V1', runId: 'gone', unwrittenAgeMs: 500 }],
    });
    const younger = structuredClone(recording);
    first.answer.runId = again.answer!.runId;
    younger.calls.splice(-1, 1, structuredClone(first) as DraftRecording['calls'][number]);
    expect(judgeRecording(younger as Recording)).toMatchObject({
      violations: [],
      lostWithRedis: [{ invariant: 'V15', unwrittenAgeMs: 500 }],
    });
  });
});

test('while nobody can look, it is not known as what an agent is shown', () => {
  const [chance] = rounds as [Chance];
  const recording = goodRecording(chance);
  const { id, exit } = recording.processes.find(({ planned }) => planned?.signal === 'SIGKILL')!;
  const sightings = recording.sightings
    .filter(({ at }) => at < exit!.at! + 4000 || at > exit!.at! + 12_000)
    .map(({ at, agents }) => {
      const isJustBack = at > exit!.at! && at < exit!.at! + 13_000;
      return { at, agents: isJustBack ? { ...agents, [id]: 'healthy' as const } : agents };
    });
  expect(judge({ ...recording, sightings }).invariants).toEqual([]);
});

test('a step that comes back before its breaker is seen closed is not late, however many faults go on', () => {
  const [chance] = rounds as [Chance];
  const recording = goodRecording(chance);
  const { events } = recording.runs.find(({ run }) => run.runId === 'run-parked')!;
  const { at } = events.findLast(({ type }) => type === 'attempt-started')!;
  const more = Array.from({ length: 500 }, (_, index) => ({
    ...{ faultId: `m${index}`, kind: 'kill-redis', startAt: at - 10, endAt: at + 2000, targets: ['redis'] },
    proof: ['it was killed'],
  }));
  expect(judge({ ...recording, faults: [...recording.faults, ...more] }).invariants).toEqual([]);
});

test('while runs go on, what only holds at rest is not asked for', () => {
  const [chance] = rounds as [Chance];
  const recording = goodRecording(chance);
  const under = recording.runs.map((run) => ({ ...run, events: run.events.slice(0, 3) }));
  expect(explain(checkRecording({ ...recording, runs: under, effects: [], faults: [] }, { atRest: false }))).toBe('');
});
