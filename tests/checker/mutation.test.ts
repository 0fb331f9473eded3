import { checkRecording, explain, INVARIANTS } from '@flotilla/testing';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type Chance, chanceOf } from '../chaos/random.ts';
import { goodRecording } from './good-recording.ts';
import { judge, named } from './kill-mutants.ts';
import { MUTANTS } from './mutants/index.ts';

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
