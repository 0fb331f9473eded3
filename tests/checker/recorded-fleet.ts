import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type Bounds,
  checkRecording,
  collectListing,
  collectRuns,
  type EffectRecorder,
  processesOf,
  Recorder,
  type Recording,
  recordCalls,
  scanRedis,
  startEffectRecorder,
  watchAgents,
  watchBreakers,
} from '@flotilla/checker';
import { closeConnection, connectRedis, mastersOf, untilReady } from '@flotilla/redis';
import { type Dependency, eventually, type Fleet, startDependency, startFleet } from '@flotilla/testing';

const HANDLERS = fileURLToPath(new URL('fixtures/recorded-steps.ts', import.meta.url));
const LEASE_AND_MORE_MS = 40_000;
/** Longer than the test: the worker that makes it is killed. */
const FOR_EVER_MS = 600_000;

const PROBE_INTERVAL_MS = 2000;
/** Two probes find the dependency dead, the third finds it back. */
const OUTAGE_MS = 2.5 * PROBE_INTERVAL_MS;

/**
 * BullMQ gives up the tasks of the killed worker after a minute; the test does not wait for that. `slowdown`: how many times as
 * long as on a machine that nobody else uses what has to be done in time may take.
 */
export function realBounds(slowdown: number): Bounds {
  const late = { cancelMs: 3000 * slowdown, timerLateMs: 10_000 * slowdown };
  return { tasksMayRemain: true, probeIntervalMs: PROBE_INTERVAL_MS, ...late };
}

const effect = (value: unknown, more: object = {}, input: object = {}) => ({
  kind: 'task',
  use: 'record-effect',
  input: { value, ...input },
  ...more,
});
const quiet = (more: object = {}) => ({ kind: 'task', use: 'flotilla.sleep', input: { ms: 20 }, ...more });
const retry = { maxAttempts: 3, initialMs: 100, jitter: 'none' };
const define = (name: string, steps: object, more: object = {}) => ({ flotilla: 1, name, steps, ...more });

/** Runs whose worker is killed while it holds their steps: the second attempt of `progress` finds checkpoint 2. */
const ORPHANED = {
  lost: define('lost', { a: effect('lost', {}, { ms: 3000 }), b: quiet({ needs: ['a'] }) }),
  progress: define('progress', {
    a: { kind: 'task', use: 'save-progress', input: { pages: 4, msAfterSecond: FOR_EVER_MS } },
  }),
};

const UNDISTURBED = {
  linear: define('linear', {
    a: effect('one'),
    b: effect('two', { needs: ['a'] }),
    c: effect('three', { needs: ['b'] }),
  }),
  fan: define('fan', {
    first: quiet(),
    left: effect('left', { needs: ['first'] }),
    right: effect('right', { needs: ['first'] }),
    last: effect({ list: [1, 2.5, null], text: 'ä' }, { needs: ['left', 'right'] }),
    eager: quiet({ needs: ['left', 'right'], join: 'any' }),
  }),
  retry: define('retry', { a: effect('third', { retry }, { failTimes: 2 }), b: quiet({ needs: ['a'] }) }),
  permanent: define(
    'permanent',
    { a: effect('never', { retry: { maxAttempts: 1 } }, { failTimes: 1 }), b: quiet({ needs: ['a'] }), c: quiet() },
    { failFast: false },
  ),
  timeout: define('timeout', {
    a: { kind: 'task', use: 'slow-at-first', input: { ms: FOR_EVER_MS }, retry, timeouts: { attemptMs: 500 } },
  }),
  map: define('map', {
    each: { kind: 'map', over: 'run.input.items', each: effect('${{ item }}', { retry }) },
    last: quiet({ needs: ['each'] }),
  }),
  'not undone': define('not-undone', { a: quiet({ compensate: 'flotilla.echo' }) }),
  delay: define('delay', {
    a: quiet(),
    wait: { kind: 'delay', forMs: 1500, needs: ['a'] },
    b: effect('late', { needs: ['wait'] }),
  }),
};
const UNDONE = define('undone', {
  a: quiet({ compensate: 'flotilla.echo' }),
  b: { kind: 'task', use: 'register-cleanup', input: { ms: 0 }, needs: ['a'], compensate: 'flotilla.fail' },
  c: { kind: 'task', use: 'register-cleanup', input: { ms: FOR_EVER_MS }, needs: ['b'], compensate: 'flotilla.echo' },
});
const CANCELLED = define('cancelled', {
  a: quiet(),
  b: { ...quiet(), input: { ms: FOR_EVER_MS } },
  c: quiet({ needs: ['a'] }),
});

/** Works a fleet, kills a worker of it, and records all that a check needs. The recording is also written to the folder. */
export async function recordFleet(namespace: string, folder: string): Promise<Recording> {
  const recorder = new Recorder(folder);
  const effects = await startEffectRecorder((report) => recorder.add('effects', report));
  const dependency = await startDependency('answers 500', (call) =>
    recorder.add('dependencyCalls', { ...call, breaker: 'payments' }),
  );
  try {
    const fleet = await startRecordedFleet(namespace, recorder, effects);
    try {
      return await work(fleet, recorder, dependency);
    } finally {
      await fleet.stop();
    }
  } finally {
    await effects.close();
    await dependency.close();
  }
}

async function work(fleet: Fleet, recorder: Recorder, dependency: Dependency): Promise<Recording> {
  const watches = [
    watchAgents(fleet.api, (sighting) => recorder.add('sightings', sighting)),
    watchBreakers(fleet.api, (sighting) => recorder.add('breakers', sighting)),
  ];
  const orphaned = await orphan(fleet, recorder);
  const runIds = await Promise.all(
    Object.entries(UNDISTURBED).map(([name, definition]) => startTwice(fleet, name, definition)),
  );
  const cancelled = await cancelRun(fleet);
  const undone = await undoRun(fleet);
  const parked = await outlastDependency(fleet, dependency);
  const all = [...orphaned, ...runIds, cancelled, undone, parked];
  await fleet.api.waitForEnd(all, { timeoutMs: LEASE_AND_MORE_MS });
  await fleet.schedulers[1]!.terminate();
  await fleet.members.find(({ plannedEnd }) => plannedEnd === 'SIGTERM')!.process.exited;
  recorder.addAll('runs', await collectRuns(fleet.api, all, recorder.recording().calls));
  recorder.add('listings', await collectListing(fleet.api));
  await Promise.all(watches.map((watch) => watch.stop()));
  recorder.addAll('processes', processesOf(fleet));
  recorder.add('scans', await scanAtRest(fleet, recorder));
  return recorder.recording();
}

/** One worker, so that it holds whatever is started. */
function startRecordedFleet(namespace: string, recorder: Recorder, effects: EffectRecorder): Promise<Fleet> {
  return startFleet({
    namespace,
    schedulers: 2,
    workers: 1,
    workerEnv: {
      FLOTILLA_HANDLERS: HANDLERS,
      FLOTILLA_EFFECTS_URL: effects.url,
      FLOTILLA_HTTP_ALLOW: '127.0.0.1',
      FLOTILLA_BREAKER_PROBE_INTERVAL_MS: String(PROBE_INTERVAL_MS),
    },
    fetch: recordCalls((call) => recorder.add('calls', call)),
  });
}

/** Each run is asked for twice under one key. */
async function startTwice(fleet: Fleet, name: string, definition: object): Promise<string> {
  const submission = { definition, input: { items: ['x', 'y', 'z'] }, idempotencyKey: `key of ${name}` };
  const { runId } = await fleet.api.start(submission);
  await fleet.api.start(submission);
  return runId;
}

async function orphan(fleet: Fleet, recorder: Recorder): Promise<string[]> {
  const runIds = await Promise.all(
    Object.entries(ORPHANED).map(([name, definition]) => startTwice(fleet, name, definition)),
  );
  const [lost, progress] = runIds as [string, string];
  await fleet.api.waitForEvent(lost, ({ type }) => type === 'attempt-started');
  await eventually(
    () =>
      recorder
        .recording()
        .effects.some(
          ({ runId, kind, ...rest }) => runId === progress && kind === 'saved' && 'number' in rest && rest.number === 2,
        ),
    { timeoutMs: 10_000, message: 'two checkpoints' },
  );
  const [victim] = fleet.workers;
  await recorder.fault({ faultId: 'f1', kind: 'kill-worker', targets: [victim!.id], isCrash: true }, async () => {
    await victim!.kill9();
    return [`SIGKILL to process ${victim!.process.pid}`];
  });
  await fleet.addWorker();
  return runIds;
}

/** Its last step is live and has registered a cleanup; of two compensations that are due one fails for good. */
async function undoRun(fleet: Fleet): Promise<string> {
  const runId = await startTwice(fleet, 'undone', UNDONE);
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'cleanup-registered' && stepId === 'c');
  await fleet.api.post(`/v1/runs/${runId}/cancel`, { reason: 'enough' });
  return runId;
}

/** Five failures of one step open the breaker, and it is what tests the way back. */
async function outlastDependency(fleet: Fleet, dependency: Dependency): Promise<string> {
  const call = {
    kind: 'http',
    request: { url: dependency.url },
    breaker: 'payments',
    retry: { ...retry, maxAttempts: 8, maxMs: 100 },
  };
  const runId = await startTwice(fleet, 'parked', define('parked', { a: call }));
  await fleet.api.waitForEvent(runId, ({ type }) => type === 'step-parked');
  await pause(OUTAGE_MS);
  dependency.mood = 'works';
  return runId;
}

async function cancelRun(fleet: Fleet): Promise<string> {
  const runId = await startTwice(fleet, 'cancelled', CANCELLED);
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'a');
  await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'attempt-started' && stepId === 'b');
  await fleet.api.post(`/v1/runs/${runId}/cancel`, { reason: 'enough' });
  return runId;
}

/** When nothing is left to do, or after a while as it is then. */
async function scanAtRest(fleet: Fleet, recorder: Recorder): Promise<Recording['scans'][number]> {
  const connection = connectRedis(fleet.redisUrl, 'commands');
  try {
    await untilReady(connection, 5000);
    // Of a Cluster each node has its own keys.
    const servers = mastersOf(connection.client).map(
      (server) =>
        (command: string, ...args: string[]) =>
          server.call(command, ...args),
    );
    const scan = () => scanRedis(servers, fleet.namespace);
    const isAtRest = async () => {
      const found = { ...recorder.recording(), scans: [await scan()] };
      return checkRecording(found, { bounds: realBounds(1) }).every(({ invariant }) => invariant !== 'V13');
    };
    await eventually(isAtRest, { timeoutMs: 10_000, intervalMs: 100 }).catch(() => undefined);
    return await scan();
  } finally {
    await closeConnection(connection);
  }
}
