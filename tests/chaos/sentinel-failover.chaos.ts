import { setTimeout as pause } from 'node:timers/promises';
import { chanceOf, findWrongRuns, SteadyLoad } from '@flotilla/chaos';
import {
  checkRecording,
  collectRuns,
  processesOf,
  Recorder,
  type Recording,
  recordCalls,
  type Violation,
} from '@flotilla/checker';
import {
  eventually,
  type Fleet,
  FleetApi,
  type SentinelSet,
  startFleet,
  startSentinel,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Loss, SubmissionProbe } from './submission-probe.ts';

/** F10: the primary dies while its replicas live. */
const BOUND_MS = 15_000;
const BEFORE_MS = 8000;
/** What was accepted in so long before its death its replicas may not have had, were it not asked for. */
const LAST_MS = 1000;
const chance = chanceOf();

let set: SentinelSet;
let fleet: Fleet;
let load: SteadyLoad;
let recording: Recording;
let violations: Violation[] = [];
let present: ReadonlySet<string> = new Set();
let diedAt = 0;
let probe: SubmissionProbe;
let replicatedProbe: SubmissionProbe;
let fastLoss: Loss;
let replicatedLoss: Loss;

const isReplicated = (runId: string) => Number(runId.split('-')[1]) % 2 === 0;

beforeAll(async () => {
  process.stdout.write(`Sentinel failover: seed ${chance.seed}\n`);
  set = await startSentinel({ args: ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'] });
  const recorder = new Recorder();
  fleet = await startFleet({
    redis: set,
    namespace: testNamespace(import.meta.url),
    schedulers: 2,
    workers: 2,
    workerEnv: { FLOTILLA_CONCURRENCY: '16' },
    fetch: recordCalls((call) => recorder.add('calls', call)),
  });
  load = new SteadyLoad({
    api: fleet.api,
    seed: chance.seed,
    activeRuns: 12,
    mostRuns: 5000,
    effects: false,
    durabilityOf: (index) => (index % 2 === 0 ? 'replicated' : 'fast'),
  });
  // Each sent once, unrecorded: what it was answered is all that counts.
  const probeApi = new FleetApi(() => fleet.schedulers.map(({ url }) => url!));
  probe = new SubmissionProbe({ api: probeApi, prefix: 'fast', durability: 'fast', everyMs: 25 });
  replicatedProbe = new SubmissionProbe({ api: probeApi, prefix: 'safe', durability: 'replicated', everyMs: 50 });
  for (const each of [load, probe, replicatedProbe]) each.start();
  await pause(BEFORE_MS);
  const before = await set.master();
  const entry = await recorder.fault(
    {
      faultId: 'F10',
      kind: 'failover',
      // Everybody has lost the primary, some for longer than a lease: steps may be taken from workers that live.
      targets: ['redis', ...fleet.workers.map(({ id }) => id)],
      isCrash: true,
    },
    async () => {
      diedAt = Date.now();
      await before.kill9();
      const after = await eventually(
        async () => {
          const master = await set.master();
          return master === before ? undefined : master;
        },
        { timeoutMs: 30_000, intervalMs: 50, message: 'another master' },
      );
      return [
        `Redis on port ${after.port} is master since ${Date.now() - diedAt} ms after the death of ${before.port}`,
      ];
    },
  );
  process.stdout.write(`${entry.proof[0]}\n`);
  await pause(BOUND_MS);
  await before.restart();
  await Promise.all([load.stop(), probe.stop(), replicatedProbe.stop()]);
  fastLoss = await probe.findLoss(diedAt);
  replicatedLoss = await replicatedProbe.findLoss(diedAt);
  const known = new Set<string>();
  for (const { runId } of load.graphs) {
    const { status } = await fleet.api.request('GET', `/v1/runs/${runId}`);
    if (status === 200) known.add(runId);
  }
  present = known;
  await fleet.api.waitForEnd([...present], { timeoutMs: 60_000, intervalMs: 100 });
  recorder.addAll('processes', processesOf(fleet));
  recorder.addAll('runs', await collectRuns(fleet.api, [...present], recorder.recording().calls));
  recording = recorder.recording();
  const lossWindows = [{ startAt: diedAt - 3000, endAt: diedAt + BOUND_MS }];
  violations = checkRecording(recording, { bounds: { recoveryMs: { failover: BOUND_MS }, lossWindows } });
}, 200_000);
afterAll(async () => {
  // Still under way when something before has failed.
  await Promise.all([load?.stop(), probe?.stop(), replicatedProbe?.stop()]);
  await fleet?.stop();
  await set?.stop();
});

describe('F10 the primary of a Sentinel set dies', () => {
  test('no run that was accepted as replicated is lost', () => {
    const lost = load.graphs.filter(({ runId }) => !present.has(runId)).map(({ runId }) => runId);
    const fast = lost.filter((runId) => !isReplicated(runId));
    process.stdout.write(`${load.graphs.length} runs accepted, ${fast.length} of the fast ones lost\n`);
    expect(lost.filter(isReplicated)).toEqual([]);
    expect(replicatedLoss.lost).toEqual([]);
    // Of those that were accepted long before, a loss would show nothing.
    const last = replicatedProbe.acknowledged.filter(
      ({ acknowledgedAt }) => acknowledgedAt <= diedAt && acknowledgedAt > diedAt - LAST_MS,
    );
    process.stdout.write(`${replicatedLoss.acknowledged} accepted as replicated, ${last.length} in the last second\n`);
    expect(last.length).toBeGreaterThan(0);
  });

  test('of those accepted as fast only what was accepted in the last half second is lost', () => {
    const { acknowledged, lost } = fastLoss;
    const lastMs = Math.max(0, ...lost.map(({ acknowledgedAt }) => diedAt - acknowledgedAt));
    process.stdout.write(`${acknowledged} fast submissions accepted, ${lost.length} lost, from ${lastMs} ms before\n`);
    expect(lost.length).toBeLessThan(acknowledged);
    expect(lastMs).toBeLessThan(500);
  });

  test('runs go on within 15 s of its death', () => {
    const waits = recording.runs.flatMap(({ events }) => {
      const next = events.find(({ at }) => at > diedAt + 100);
      return next === undefined || events[0]!.at > diedAt ? [] : [next.at - diedAt];
    });
    process.stdout.write(`${waits.length} runs went on ${Math.min(...waits)} to ${Math.max(...waits)} ms after it\n`);
    expect(waits.length).toBeGreaterThan(0);
    expect(Math.max(...waits)).toBeLessThan(BOUND_MS);
  });

  test('every run ends right, and no invariant is broken', () => {
    const there = load.graphs.filter(({ runId }) => present.has(runId));
    const records = new Map(recording.runs.map((record) => [record.run.runId, record]));
    expect(
      findWrongRuns(
        there,
        there.map(({ runId }) => records.get(runId)!),
      ),
    ).toEqual([]);
    expect(violations).toEqual([]);
  });
});
