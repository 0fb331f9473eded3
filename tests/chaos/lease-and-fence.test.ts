import { withMutation } from '@flotilla/chaos';
import {
  eventually,
  type Fleet,
  type FleetMember,
  type RunRecord,
  recordMachineTime,
  startFleet,
  type TestFleetOptions,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findBrokenPromises, MOST_WAIT_MS, type RecordedFaults, waitOf } from './judge-faults.ts';

/**
 * What is done to the worker of each step. Zombie: SIGSTOP beyond its lease, SIGCONT when the next attempt runs.
 * Orphan: SIGKILL. Kept: nothing, and the step takes longer than a lease.
 */
const SLEEP_MS = { zombie: 4000, orphan: 4000, kept: 12_500 } as const;
type Fault = keyof typeof SLEEP_MS;

const PLAYS: Record<string, readonly Fault[]> = {
  none: ['zombie', 'orphan', 'kept'],
  'no-fence': ['zombie'],
  'no-lease': ['orphan'],
  'lease-ignored': ['kept'],
  'no-reconciler': ['orphan'],
};
const RUN_MS = 40_000;

interface Played {
  record: RunRecord;
  broken: readonly string[];
  endedByThemselves: readonly string[];
}

/** Fleets are started one after the other, or their processes would hinder each other. */
let starting: Promise<unknown> = Promise.resolve();

/** Runs the faults of a play with one safeguard switched off, or none, and judges the run by its history. */
async function play(mutation: string): Promise<Played> {
  const faults = PLAYS[mutation] ?? [];
  const started = starting.then(() =>
    startWithSpare({
      namespace: testNamespace(`${import.meta.url}#${mutation}`),
      workers: faults.length,
      // Each worker holds exactly one of the steps.
      workerEnv: { FLOTILLA_CONCURRENCY: '1' },
      ...(mutation === 'none' ? {} : withMutation(mutation)),
    }),
  );
  starting = started.catch(() => undefined);
  const { fleet, spare } = await started;
  try {
    return { ...(await playOn(fleet, spare, faults)), endedByThemselves: fleet.unexpectedEnds() };
  } finally {
    await fleet.stop();
  }
}

/**
 * A fleet, and the worker that takes over: it has started before anything happens, since how long a process takes to start
 * says nothing of how soon lost steps are made again. It stands still until each of the others has its step.
 */
async function startWithSpare(options: TestFleetOptions): Promise<{ fleet: Fleet; spare: FleetMember }> {
  const fleet = await startFleet(options);
  try {
    const spare = await fleet.addWorker({ FLOTILLA_CONCURRENCY: '4' });
    spare.pause();
    return { fleet, spare };
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

async function playOn(
  fleet: Fleet,
  spare: FleetMember,
  faults: readonly Fault[],
): Promise<Omit<Played, 'endedByThemselves'>> {
  const { api } = fleet;
  const diedAt = new Map<string, number>();
  const pausedAt = new Map<string, number>();
  const machine = recordMachineTime();
  const happened: RecordedFaults = { diedAt, pausedAt, machine };
  const steps = Object.fromEntries(
    faults.map((fault) => [fault, { kind: 'task', use: 'flotilla.sleep', input: { ms: SLEEP_MS[fault] } }]),
  );
  const { runId } = await api.start({ definition: { flotilla: 1, name: 'faults', steps } });
  const startOf = (fault: Fault, number: number) =>
    eventually(
      async () =>
        (await api.history(runId)).filter(({ type, stepId }) => type === 'attempt-started' && stepId === fault)[
          number - 1
        ],
      { timeoutMs: RUN_MS, intervalMs: 50, message: `attempt ${number} of ${fault}` },
    );
  const workerOf = async (fault: Fault): Promise<FleetMember> => {
    const { worker } = await startOf(fault, 1);
    const found = fleet.members.find(({ id }) => id === worker);
    if (found === undefined) throw new Error(`${worker} is no worker of the fleet`);
    return found;
  };
  const deeds: Record<Fault, () => Promise<void>> = {
    kept: async () => undefined,
    orphan: async () => {
      const worker = await workerOf('orphan');
      diedAt.set(worker.id, Date.now());
      await worker.kill9();
    },
    zombie: async () => {
      const worker = await workerOf('zombie');
      pausedAt.set(worker.id, Date.now());
      worker.pause();
      await startOf('zombie', 2);
      worker.resume();
    },
  };
  const haveBegun = Promise.all(faults.map((fault) => startOf(fault, 1))).then(() => spare.resume());
  await Promise.all([...faults.map((fault) => deeds[fault]()), haveBegun]);
  const firstDiedAt = Math.min(...diedAt.values());
  const isLate = () => waitOf(machine, firstDiedAt, Date.now() - firstDiedAt) > MOST_WAIT_MS;
  const judge = async (): Promise<Omit<Played, 'endedByThemselves'>> => {
    const record = await api.record(runId);
    return { record, broken: findBrokenPromises(record, happened) };
  };
  // Until the run has ended, or it is clear that a promise is broken.
  const isOver = async (): Promise<boolean> => {
    const { record, broken } = await judge();
    const isBroken = (promise: string) => broken.some((found) => found.startsWith(promise));
    return record.run.endedAt !== undefined || isBroken('G11') || (isBroken('G10') && isLate());
  };
  await eventually(isOver, { timeoutMs: RUN_MS, intervalMs: 200, message: 'the run to end' });
  // The zombie's late result is refused, or without the fence taken, after the run may have ended: a worker that nobody lets
  // run says nothing yet.
  const isHeard = async (): Promise<boolean> => {
    const { broken } = await judge();
    return !broken.some((found) => found.startsWith('G3 ')) || broken.some((found) => / V5 /.test(found));
  };
  await eventually(isHeard, { timeoutMs: 10_000 }).catch(() => undefined);
  machine.stop();
  return judge();
}

const played = new Map<string, Played>();
beforeAll(async () => {
  // Side by side: most of the time is waiting for a lease to run out.
  const plays = Object.keys(PLAYS).map(async (mutation) => played.set(mutation, await play(mutation)));
  for (const { status, ...outcome } of await Promise.allSettled(plays)) {
    if (status === 'rejected') throw (outcome as { reason: Error }).reason;
  }
}, 180_000);
afterAll(() => {
  for (const { endedByThemselves } of played.values()) expect(endedByThemselves).toEqual([]);
});

describe('a worker that stands still beyond its lease, one that is killed and one that lives', () => {
  const control = () => played.get('none')!;
  const eventsOf = (stepId: string, type: string) =>
    control().record.events.filter((event) => event.stepId === stepId && event.type === type);

  test('the run ends right and no promise is broken', () => {
    expect(control().record.run.status).toBe('succeeded');
    expect(control().broken).toEqual([]);
  });

  test('G3 the late commit of the worker that stood still is refused and recorded', () => {
    const [first, second] = eventsOf('zombie', 'attempt-started');
    const [refused] = eventsOf('zombie', 'attempt-rejected');
    expect(refused).toMatchObject({ attemptId: first?.attemptId, fence: first?.fence });
    expect(eventsOf('zombie', 'attempt-succeeded')).toMatchObject([{ attemptId: second?.attemptId }]);
  });

  test('G2 both steps are made again, and the loss is not charged', () => {
    for (const stepId of ['zombie', 'orphan']) {
      const step = control().record.steps.find((candidate) => candidate.stepId === stepId);
      expect(step).toMatchObject({ status: 'succeeded', attempts: 1, lost: 1 });
    }
  });

  test('G11 the living worker keeps its step for longer than a lease', () => {
    expect(eventsOf('kept', 'attempt-started')).toHaveLength(1);
    expect(eventsOf('kept', 'attempt-lost')).toEqual([]);
  });
});

describe('the same checks fail when a safeguard is switched off', () => {
  test.each([
    [
      'no-fence',
      /^\S+: V5 attempt-succeeded of zombie at \d+ carries a fence or attempt id that is not the current one$/,
    ],
    ['no-lease', /^G10 \S+ orphan waited Infinity ms/],
    ['lease-ignored', /^G11 \S+ kept was taken from \S+, which is alive$/],
    ['no-reconciler', /^G10 \S+ orphan waited Infinity ms/],
  ])('%s', (mutation, expected) => {
    expect(played.get(mutation)?.broken).toContainEqual(expect.stringMatching(expected));
  });
});
