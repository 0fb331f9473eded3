import { fileURLToPath } from 'node:url';
import { type Chance, chanceOf, mixedGraph } from '@flotilla/chaos';
import {
  type ClientCall,
  checkRecording,
  collectRuns,
  EMPTY_RECORDING,
  explain,
  findLeftovers,
  type RecordedRun,
  recordCalls,
} from '@flotilla/checker';
import { type CancelReceipt, type HistoryEvent, isTerminalRunStatus } from '@flotilla/contracts';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  type FleetMember,
  type LocalRedis,
  mapInTurn,
  startFleet,
  startRedis,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/**
 * Runs of all shapes, with compensations and registered cleanups, are cancelled at moments that chance chooses, by one or two
 * callers at once; meanwhile workers are killed, and for a part of the time nobody hears the messages of cancellations.
 */

const full = process.env['FLOTILLA_CHAOS'] === 'full';
const CANCELS = full ? 500 : 60;
const AT_ONCE = full ? 12 : 8;
const KILLS = full ? 12 : 2;
const WORKERS = 3;
/** From a cancellation until the last of its attempts has ended, when its worker lives. */
const ABORT_MS = 3000;
const LONGEST_UNTIL_CANCEL_MS = 1500;
const FOR_EVER_MS = 120_000;

const handlers = fileURLToPath(new URL('../integration/fixtures/cleanup-handlers.ts', import.meta.url));
const chance = chanceOf();
const namespace = testNamespace(import.meta.url);
const calls: ClientCall[] = [];
const answers = new Map<string, CancelReceipt[]>();
const killed = new Set<string>();

let redis: LocalRedis;
let fleet: Fleet;
let runs: readonly RecordedRun[] = [];

beforeAll(async () => {
  process.stdout.write(`cancelled runs: seed ${chance.seed}, ${CANCELS} cancels\n`);
  redis = await startRedis();
  fleet = await startFleet({
    ...{ namespace, redis, workers: WORKERS, schedulers: 2 },
    workerEnv: { FLOTILLA_HANDLERS: handlers, FLOTILLA_CONCURRENCY: '20' },
    fetch: recordCalls((call) => calls.push(call)),
  });
  const finish = disturb();
  try {
    await mapInTurn(
      Array.from({ length: CANCELS }, () => chanceOf(chance.between(1, 2 ** 31))),
      AT_ONCE,
      cancelOne,
    );
  } finally {
    await finish();
  }
  await fleet.api.waitForEnd([...answers.keys()], { timeoutMs: 60_000 });
  runs = await collectRuns(fleet.api, [...answers.keys()], calls);
}, 600_000);
afterAll(async () => {
  await fleet?.stop();
  await redis?.stop();
});

/** A mixed graph some of whose steps can be undone, or register what is to be undone. */
function undoable(own: Chance): object {
  const { definition, input } = mixedGraph(own);
  const undo = () => own.pick(['undo', 'undo', 'undo-later', 'undo-never']);
  const change = (step: Record<string, unknown>): Record<string, unknown> => {
    if (step['kind'] === 'map') return { ...step, each: change(step['each'] as Record<string, unknown>) };
    if (step['kind'] !== 'task') return step;
    const changed: Record<string, unknown> = { ...step };
    if (own.next() < 0.5) changed['compensate'] = { use: undo(), retry: { initialMs: 20 } };
    const given = (step['input'] as { ms?: unknown } | undefined)?.ms;
    // Some go on until they are told to stop.
    const ms = typeof given === 'number' && own.next() < 0.2 ? FOR_EVER_MS : given;
    if (ms === FOR_EVER_MS) changed['input'] = { ms };
    if (step['use'] !== 'flotilla.sleep' || given === undefined || own.next() < 0.7) return changed;
    return { ...changed, use: 'seize', input: { ms, seats: ['A', 'B'].slice(0, own.between(1, 2)) } };
  };
  const steps = Object.entries(definition.steps).map(([id, step]) => [id, change(step as Record<string, unknown>)]);
  const limit = own.next() < 0.1 ? { timeoutMs: own.between(200, LONGEST_UNTIL_CANCEL_MS) } : {};
  return { definition: { ...definition, ...limit, steps: Object.fromEntries(steps) }, input };
}

async function cancelOne(own: Chance): Promise<void> {
  const { runId } = await fleet.api.start(undoable(own));
  await new Promise((resolve) => setTimeout(resolve, own.between(0, LONGEST_UNTIL_CANCEL_MS)));
  const callers = own.between(1, 2);
  // A cleanup whose worker is killed is made again after its lease; then the receipt is asked for again.
  const cancel = (): Promise<CancelReceipt> =>
    eventually(
      async () => {
        const path = `/v1/runs/${runId}/cancel?waitMs=5000`;
        const answer = await fleet.api.post<CancelReceipt>(path, { reason: 'by chance' });
        return isTerminalRunStatus(answer.status) ? answer : undefined;
      },
      { timeoutMs: 90_000, message: `${runId} to end` },
    );
  answers.set(runId, await Promise.all(Array.from({ length: callers }, cancel)));
}

/** The one that has most to lose. */
async function busiestWorker(): Promise<FleetMember> {
  const busy = (await fleet.api.agents()).filter(({ workerId }) => fleet.workers.some(({ id }) => id === workerId));
  const [first] = busy.sort((a, b) => b.load.running - a.load.running);
  return fleet.workers.find(({ id }) => id === first?.workerId) ?? fleet.workers[0]!;
}

/** Kills workers one after the other, and cuts subscribers off again and again. Gives what ends it. */
function disturb(): () => Promise<void> {
  const over = new AbortController();
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      over.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  const killing = async () => {
    for (let kill = 0; kill < KILLS && !over.signal.aborted; kill += 1) {
      await pause(1500);
      if (over.signal.aborted) return;
      const victim = await busiestWorker();
      killed.add(victim.id);
      await victim.kill9();
      await fleet.replace(victim);
    }
  };
  const deafening = async () => {
    const connection = connectRedis(redis.url, 'commands');
    try {
      await untilReady(connection, 60_000);
      for (let turn = 0; !over.signal.aborted; turn += 1) {
        // Half of the time: three seconds each.
        if (Math.floor(turn / 60) % 2 === 0) await connection.client.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB');
        await pause(50);
      }
    } finally {
      await closeConnection(connection);
    }
  };
  const done = Promise.all([killing(), deafening()]);
  return async () => {
    over.abort();
    await done;
  };
}

const requestOf = ({ events }: RecordedRun) => events.find(({ type }) => type === 'cancel-requested');

/** How long the attempts of a cancelled run went on, those of killed workers apart. */
function abortMsOf(run: RecordedRun): number {
  const request = requestOf(run);
  if (request === undefined) return 0;
  const worker = new Map<string, string>();
  for (const { attemptId, worker: by } of run.events)
    if (attemptId !== undefined && by !== undefined) worker.set(attemptId, by);
  const isEnd = ({ type, attemptId = '' }: HistoryEvent) =>
    type.startsWith('attempt-') &&
    type !== 'attempt-started' &&
    type !== 'attempt-rejected' &&
    !killed.has(worker.get(attemptId) ?? '');
  return Math.max(0, ...run.events.filter(isEnd).map(({ at }) => at - request.at));
}

describe('runs that are cancelled at any moment', () => {
  test('G9 have their attempts aborted within 3 s, heard or unheard', () => {
    const times = runs.map(abortMsOf).sort((a, b) => a - b);
    const cancelled = runs.filter((run) => requestOf(run) !== undefined).length;
    const cleanups = runs.flatMap(({ events }) => events.filter(({ type }) => type === 'cleanup-succeeded')).length;
    const lost = runs.flatMap(({ events }) =>
      events.filter(({ type }) => /^(attempt|cleanup)-lost$/.test(type)),
    ).length;
    process.stdout.write(
      `cancelled runs: ${cancelled} of ${runs.length} in time, ${cleanups} cleanups, ${lost} attempts lost with ` +
        `${killed.size} workers; aborts: median ${times[times.length >> 1]} ms, longest ${times.at(-1)} ms\n`,
    );
    expect(cancelled).toBeGreaterThan(CANCELS / 4);
    expect(cleanups).toBeGreaterThan(CANCELS / 4);
    expect(times.filter((ms) => ms > ABORT_MS)).toEqual([]);
  });

  test('end once, compensate once each in reverse order, and get receipts that say what happened', () => {
    expect(explain(checkRecording({ ...EMPTY_RECORDING, calls, runs }))).toBe('');
  });

  test('answer everybody the same', () => {
    for (const [first, ...others] of answers.values()) {
      const isLate = first!.receipt.alreadyEnded;
      // The time of a request that came too late is its own.
      const told = ({ status, receipt }: CancelReceipt) => ({
        status,
        ...receipt,
        ...(isLate && { requestedAt: 0 }),
      });
      for (const other of others) expect(told(other)).toEqual(told(first!));
    }
  });

  test('leave no slot, lease, timer, task or key behind', async () => {
    const isFree = async () => {
      const agents = (await fleet.api.agents()).filter(({ workerId }) => !killed.has(workerId));
      // Those that are held are named by the error.
      expect(agents.filter(({ load }) => load.running > 0)).toEqual([]);
      return true;
    };
    await eventually(isFree, { timeoutMs: 10_000, intervalMs: 100, message: 'all slots to be free' });
    await eventually(async () => (await findLeftovers(redis.url, namespace, { tasks: false })).length === 0, {
      timeoutMs: 20_000,
      intervalMs: 250,
      message: 'nothing to be left',
    });
  }, 40_000);
});
