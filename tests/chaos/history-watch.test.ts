import {
  chanceOf,
  goneWithRedis,
  HistoryWatch,
  kitchenSink,
  type MadeFault,
  PacedLoad,
  planEachWay,
} from '@flotilla/chaos';
import { type ProcessEntry, type RecordedRun, Recorder, runOfCall } from '@flotilla/checker';
import { eventually, type FleetApi } from '@flotilla/testing';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { goodRecording } from '../checker/good-recording.ts';

const SEED = 7;
const WAIT_MS = 20_000;

/** Runs without faults, which are in recordings of the checker's own tests. */
function goodRuns() {
  const { runs, calls, effects } = goodRecording(chanceOf(SEED));
  const quiet = runs.filter(({ run, events }) => {
    return run.status === 'succeeded' && !events.some(({ type }) => type === 'attempt-lost');
  });
  return { runs: quiet.slice(0, 3), calls, effects };
}

/** The run with its first attempt lost before it began anew on the same worker. */
function takeFirstAttempt(run: RecordedRun): { run: RecordedRun; worker: string } {
  const index = run.events.findIndex(({ type }) => type === 'attempt-started');
  const start = run.events[index]!;
  const first = { ...start, fence: start.fence! - 1, attemptId: `${start.attemptId}-first` };
  const lost = { ...first, type: 'attempt-lost' as const };
  const events = [...run.events.slice(0, index), first, lost, ...run.events.slice(index)];
  return { run: { ...run, events: events.map((event, seq) => ({ ...event, seq })) }, worker: start.worker! };
}

/** What the watch asks a fleet for, answered from histories. */
function apiOf(runs: ReadonlyMap<string, RecordedRun>): FleetApi {
  const find = async (runId: string) => {
    const run = runs.get(runId);
    if (run === undefined) throw new Error(`GET /v1/runs/${runId} answered 404 RUN_NOT_FOUND: there is none`);
    return run;
  };
  const get = async (path: string) => {
    const checkpoints = /\/v1\/runs\/([^/]+)\/checkpoints/.exec(path)?.[1];
    if (checkpoints === undefined) return { runs: [] };
    return { checkpoints: (await find(checkpoints)).checkpoints ?? [] };
  };
  const request = async () => ({ status: 404, body: {} });
  return { record: find, get, request } as unknown as FleetApi;
}

describe('who watches histories', () => {
  let runs: Map<string, RecordedRun>;
  let recorder: Recorder;

  beforeEach(() => {
    const good = goodRuns();
    runs = new Map(good.runs.map((run) => [run.run.runId, run]));
    recorder = new Recorder();
    recorder.addAll(
      'calls',
      good.calls.filter((call) => runs.has(runOfCall(call) ?? '')),
    );
    recorder.addAll(
      'effects',
      good.effects.filter(({ runId }) => runs.has(runId)),
    );
  });

  /** All runs were accepted, and are to end as they did. */
  async function watchAll(
    alsoAccepted: readonly string[] = [],
    made: readonly MadeFault[] = [],
    processes: readonly ProcessEntry[] = [],
  ): Promise<{ watch: HistoryWatch; load: PacedLoad }> {
    const api = apiOf(runs);
    const load = new PacedLoad({ api, url: () => '', seed: SEED, leakBytes: 0 });
    for (const runId of [...runs.keys(), ...alsoAccepted]) {
      const output = goodRuns().runs.find(({ run }) => run.runId === runId)?.run.output as never;
      const graph = { ...kitchenSink(SEED, 0, 0), ends: ['succeeded' as const], output };
      load.open.set(runId, { runId, graph, acceptedAt: 0 });
    }
    const watch = new HistoryWatch({
      api,
      recorder,
      load,
      made,
      processes: () => processes,
      tell: () => undefined,
      isDisturbed: () => false,
      // Everything is there before the first look: nothing comes late.
      lookEveryMs: 20,
      checkAfterMs: 100,
    });
    watch.start();
    const over = { timeoutMs: WAIT_MS, intervalMs: 20, message: 'all runs to be looked at' };
    await eventually(async () => load.open.size === 0, over);
    await watch.finish(WAIT_MS);
    return { watch, load };
  }

  test('checks each and forgets it', async () => {
    const { watch, load } = await watchAll();
    expect({ violations: watch.violations, problems: watch.problems }).toEqual({ violations: [], problems: [] });
    expect(watch.checked).toBe(3);
    expect(load.ended).toBe(3);
    expect(recorder.recording()).toMatchObject({ calls: [], effects: [], runs: [] });
  });

  test('finds a step that was committed twice', async () => {
    const [runId, good] = [...runs][0]!;
    const commit = good.events.find(({ type }) => type === 'step-succeeded')!;
    const events = good.events.flatMap((event) => (event === commit ? [event, event] : [event]));
    runs.set(runId, { ...good, events: events.map((event, seq) => ({ ...event, seq })) });
    const { watch } = await watchAll();
    expect(watch.violations.map(({ invariant }) => invariant)).toContain('V3');
    expect(watch.doubleCommits).toBe(1);
  });

  test('finds an attempt that was taken from a worker which lived, and leaves its end for later', async () => {
    const { run, worker } = takeFirstAttempt([...runs.values()][0]!);
    runs.set(run.run.runId, run);
    const lives = { id: worker, kind: 'worker', pid: 1, startedAt: 0, complaints: ['unhandledRejection'] };
    const { watch } = await watchAll([], [], [lives]);
    const taken = expect.objectContaining({ invariant: 'V7', message: expect.stringContaining('is alive') });
    expect(watch.violations).toContainEqual(taken);
    expect(watch.violations.map(({ invariant }) => invariant)).not.toContain('V18');
  });

  test('finds a cancelled run that took long to end', async () => {
    const { runs: all, calls, effects } = goodRecording(chanceOf(SEED));
    const good = all.find(({ events }) => events.some(({ type }) => type === 'cancel-requested'))!;
    const { runId } = good.run;
    const asked = good.events.findIndex(({ type }) => type === 'cancel-requested');
    const moved = <Timed extends { at: number }>(timed: Timed, index: number) =>
      index > asked ? { ...timed, at: timed.at + 60_000 } : timed;
    runs = new Map([[runId, { ...good, events: good.events.map(moved) }]]);
    recorder.addAll(
      'calls',
      calls.filter((call) => runOfCall(call) === runId),
    );
    recorder.addAll(
      'effects',
      effects.filter((effect) => effect.runId === runId),
    );
    const { watch } = await watchAll();
    const slow = expect.objectContaining({ invariant: 'V10', message: expect.stringMatching(/took \d+ ms to end/) });
    expect(watch.violations).toContainEqual(slow);
  });

  test('finds an output that is not the one known beforehand', async () => {
    const [runId, good] = [...runs][0]!;
    runs.set(runId, { ...good, run: { ...good.run, output: 'another' } });
    const { watch } = await watchAll();
    expect(watch.problems).toEqual([expect.stringMatching(`${runId} .* gave "another"`)]);
  });

  test('finds an accepted run that is not there', async () => {
    const { watch } = await watchAll(['soak-lost']);
    expect(watch.problems).toEqual(['G1 soak-lost was accepted and is not there']);
    expect(watch.checked).toBe(3);
  });

  test('excuses one that was accepted within 2 s of the death of Redis, and no older one', async () => {
    const killedAt = 1_800_000_000_000;
    const answers = { 'soak-late': killedAt - 900, 'soak-early': killedAt - 2001 };
    for (const [runId, endAt] of Object.entries(answers)) {
      const answer = { runId, status: 'pending' as const, durability: 'fast' as const, deduplicated: false };
      recorder.add('calls', { kind: 'start', request: { runId }, startAt: endAt - 5, endAt, status: 201, answer });
    }
    const planned = planEachWay('F6', 1)[0]!;
    const times = { startAt: killedAt, endAt: killedAt + 1000, unwrittenUntil: killedAt };
    const kill = { ...times, targets: ['redis'], proof: ['killed'], isAlone: true, boundMs: 0, recoveriesMs: [] };
    const { watch } = await watchAll(Object.keys(answers), [{ planned, ...kill }]);
    expect(watch.problems).toEqual(['G1 soak-early was accepted and is not there']);
    expect(watch.lostWithRedis).toMatchObject([{ invariant: 'V1', runId: 'soak-late', unwrittenAgeMs: 900 }]);
    expect(goneWithRedis(watch)).toMatch(/^1 runs .* up to 900 ms before$/);
  });
});
