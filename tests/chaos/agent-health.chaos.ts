import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type AgentSighting,
  checkRecording,
  EMPTY_RECORDING,
  processesOf,
  Recorder,
  watchAgents,
} from '@flotilla/checker';
import type { AgentEvent, AgentStatus, AgentView } from '@flotilla/contracts';
import { eventually, type Fleet, type FleetMember, type LocalRedis, startFleet, startRedis } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const HANDLERS = fileURLToPath(new URL('fixtures/health-handlers.ts', import.meta.url));
/** No false alarm in ten quiet minutes is promised; without it a minute is looked at. */
const QUIET_MS = process.env['FLOTILLA_CHAOS'] === 'full' ? 600_000 : 60_000;
/** G11. */
const LOST_WITHIN_MS = 10_000;
/** A heartbeat, a judgement, and the sign with which the worker hears of it. */
const TAKEN_OUT_WITHIN_MS = 10_000;
/** Its attempts take 15 s where others take a moment: the threshold of 10 s, and then as for failures. */
const SLOW_WITHIN_MS = 20_000;

let redis: LocalRedis;
let fleet: Fleet;
let folder: string;
let load: SteadyWork;
let watch: ReturnType<typeof watchAgents>;
const recorder = new Recorder();
const sightings: AgentSighting[] = [];
const figures: string[] = [];

/** Small steps all the time, so that outcomes say something; each is tried often enough to succeed elsewhere. */
class SteadyWork {
  readonly runIds: string[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #unanswered: Promise<unknown>[] = [];

  constructor(api: Fleet['api'], everyMs: number) {
    const retry = { maxAttempts: 20, initialMs: 200, maxMs: 500 };
    const step = { kind: 'task', use: 'work', input: { ms: 20 }, retry };
    const definition = { flotilla: 1, name: 'small', steps: { step } };
    this.#timer = setInterval(() => {
      const runId = `small-${this.runIds.length}`;
      this.runIds.push(runId);
      this.#unanswered.push(api.start({ definition, runId }));
    }, everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#unanswered);
  }
}

const mannerFile = (member: FleetMember): string => join(folder, mannerOf.get(member.id)!);
const mannerOf = new Map<string, string>();
const makeIt = (member: FleetMember, manner: 'well' | 'failing' | 'slow'): void =>
  writeFileSync(mannerFile(member), manner);

let workers = 0;
async function addWorker(): Promise<FleetMember> {
  workers += 1;
  const name = `manner-${workers}`;
  writeFileSync(join(folder, name), 'well');
  const env = { FLOTILLA_TEST_MANNER: join(folder, name), FLOTILLA_QUEUES: `default,own-${workers}` };
  const member = await fleet.addWorker(env);
  mannerOf.set(member.id, name);
  return member;
}
const ownQueueOf = ({ id }: FleetMember): string => mannerOf.get(id)!.replace('manner', 'own');

async function agentOf({ id }: FleetMember): Promise<AgentView | undefined> {
  return (await fleet.api.agents()).find(({ agentId }) => agentId === id);
}

/** How long after `fromMs` (monotonic) the agent is shown so. */
async function untilShown(
  member: FleetMember,
  status: AgentStatus,
  fromMs: number,
  timeoutMs = 60_000,
): Promise<number> {
  const message = `${member.id} to be shown as ${status}`;
  await eventually(async () => (await agentOf(member))?.status === status, { timeoutMs, intervalMs: 50, message });
  return Math.round(performance.now() - fromMs);
}

function note(what: string, ms: number): number {
  figures.push(`${what}: ${(ms / 1000).toFixed(1)} s`);
  return ms;
}

const eventsOf = async ({ id }: FleetMember): Promise<AgentEvent[]> =>
  (await fleet.api.get<{ events: AgentEvent[] }>('/v1/agents/events')).events.filter(({ agentId }) => agentId === id);

/** Attempts that it began in the time, of all runs. */
async function startsOf({ id }: FleetMember, fromAt: number, toAt: number): Promise<number> {
  let count = 0;
  for (const runId of load.runIds.slice(-200)) {
    const events = await fleet.api.history(runId);
    count += events.filter(
      ({ type, worker, at }) => type === 'attempt-started' && worker === id && at >= fromAt && at <= toAt,
    ).length;
  }
  return count;
}

/** Does one thing to a worker through a step on the queue that it alone serves. */
async function tell(member: FleetMember, use: string, input: object = {}): Promise<void> {
  const step = { kind: 'task', use, input, queue: ownQueueOf(member) };
  const runId = `${use}-${member.id}`;
  await fleet.api.start({ definition: { flotilla: 1, name: 'tell', steps: { step } }, runId });
  await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
  redis = await startRedis({});
  const workerEnv = { FLOTILLA_HANDLERS: HANDLERS, FLOTILLA_CONCURRENCY: '8' };
  fleet = await startFleet({ redis, namespace: 'health', schedulers: 2, workers: 0, workerEnv });
  await Promise.all([addWorker(), addWorker(), addWorker()]);
  await fleet.waitForWorkers(3);
  watch = watchAgents(fleet.api, (sighting) => sightings.push(sighting));
  load = new SteadyWork(fleet.api, 100);
}, 120_000);

afterAll(async () => {
  process.stdout.write(`agent health:\n${figures.map((line) => `  ${line}\n`).join('')}`);
  await load?.stop();
  await watch?.stop();
  await fleet?.stop();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('G11 health', () => {
  test(
    'nobody is said to be anything but healthy while all is quiet',
    async () => {
      const from = sightings.length;
      await pause(QUIET_MS);
      const odd = sightings
        .slice(from)
        .filter(({ agents }) => Object.values(agents).some((status) => status !== 'healthy'));
      expect(odd).toEqual([]);
      expect(sightings.length - from).toBeGreaterThan(30);
      expect((await fleet.api.get<{ events: AgentEvent[] }>('/v1/agents/events')).events).toEqual([]);
    },
    QUIET_MS + 30_000,
  );

  test('an agent whose steps fail is taken out of routing within 10 s and comes back through a probation', async () => {
    const [victim] = fleet.workers;
    const fromMs = performance.now();
    makeIt(victim!, 'failing');
    const shownMs = note('failing -> unhealthy', await untilShown(victim!, 'unhealthy', fromMs));
    expect(shownMs).toBeLessThan(TAKEN_OUT_WITHIN_MS);
    expect(await agentOf(victim!)).toMatchObject({ reason: 'consecutive-failures', intake: 'none' });
    // It hears of it with its next sign, and rests for 5 s.
    const [shown] = await eventsOf(victim!);
    await pause(5500);
    expect(await startsOf(victim!, shown!.at + 3000, shown!.at + 5000)).toBe(0);
    makeIt(victim!, 'well');
    const wellMs = performance.now();
    note('well again -> healthy', await untilShown(victim!, 'healthy', wellMs, 90_000));
    const types = (await eventsOf(victim!)).map(({ type }) => type);
    expect([types.at(-1), types.includes('agent-probation'), types[0]]).toEqual([
      'agent-unhealthy',
      true,
      'agent-recovered',
    ]);
    expect(await startsOf(victim!, Date.now() - 5000, Date.now())).toBeGreaterThan(0);
  }, 150_000);

  test('an agent that takes much longer than the others for the same steps is taken out of routing', async () => {
    const [, victim] = fleet.workers;
    const fromMs = performance.now();
    makeIt(victim!, 'slow');
    const shownMs = note('slow -> unhealthy', await untilShown(victim!, 'unhealthy', fromMs));
    expect(shownMs).toBeLessThan(SLOW_WITHIN_MS);
    expect(await agentOf(victim!)).toMatchObject({ reason: 'response-time', intake: 'none' });
    makeIt(victim!, 'well');
    note('fast again -> healthy', await untilShown(victim!, 'healthy', performance.now(), 90_000));
  }, 150_000);

  test('a killed agent is shown as lost within 10 s', async () => {
    const [, , victim] = fleet.workers;
    const fromMs = performance.now();
    await victim!.kill9();
    expect(note('killed -> lost', await untilShown(victim!, 'lost', fromMs))).toBeLessThan(LOST_WITHIN_MS);
    await addWorker();
    await fleet.waitForWorkers(3, 60_000);
  }, 120_000);

  test('a paused agent is shown as lost within 10 s, and as healthy soon after it goes on', async () => {
    const [victim] = fleet.workers;
    const startAt = Date.now();
    const fromMs = performance.now();
    victim!.pause();
    expect(note('paused -> lost', await untilShown(victim!, 'lost', fromMs))).toBeLessThan(LOST_WITHIN_MS);
    await pause(2000);
    victim!.resume();
    const endAt = Date.now();
    const backMs = note('goes on -> healthy', await untilShown(victim!, 'healthy', performance.now()));
    expect(backMs).toBeLessThan(LOST_WITHIN_MS);
    const fault = { faultId: 'paused', kind: 'freeze-worker', targets: [victim!.id], proof: ['SIGSTOP'] };
    recorder.add('faults', { ...fault, startAt, endAt });
    // The scheduler that saw it has told of it, and only that one.
    await eventually(
      async () =>
        (await eventsOf(victim!))
          .slice(0, 2)
          .map(({ type }) => type)
          .join() === 'agent-recovered,agent-lost',
    );
  }, 120_000);

  test('an agent whose event loop is blocked is shown as lost within 10 s, and ends itself', async () => {
    const [, victim] = fleet.workers;
    const fromMs = performance.now();
    await tell(victim!, 'block-loop', { ms: 120_000 });
    const startAt = Date.now();
    expect(note('blocked -> lost', await untilShown(victim!, 'lost', fromMs))).toBeLessThan(LOST_WITHIN_MS);
    const { signal } = await victim!.process.exited;
    note('blocked -> ended by itself', performance.now() - fromMs);
    expect(signal).toBe('SIGKILL');
    const fault = { faultId: 'blocked', kind: 'block-worker', targets: [victim!.id], proof: ['120 s'] };
    recorder.add('faults', { ...fault, startAt, endAt: Date.now() });
    await fleet.api.post(`/v1/runs/block-loop-${victim!.id}/cancel`, {});
    await addWorker();
    await fleet.waitForWorkers(3, 60_000);
  }, 120_000);

  test('an agent one of whose take loops hangs is shown as lost within 10 s, and ends to be started afresh', async () => {
    const victim = fleet.workers.at(-1)!;
    const fromMs = performance.now();
    await tell(victim, 'hang-one-loop');
    const startAt = Date.now();
    expect(note('take loop hangs -> lost', await untilShown(victim, 'lost', fromMs))).toBeLessThan(
      LOST_WITHIN_MS + 1000,
    );
    const { code } = await victim.process.exited;
    note('take loop hangs -> ended by itself', performance.now() - fromMs);
    expect(code).toBe(75);
    const fault = { faultId: 'hung', kind: 'block-worker', targets: [victim.id], proof: ['Promise.race'] };
    recorder.add('faults', { ...fault, startAt, endAt: Date.now() });
  }, 150_000);

  test('V17 what was shown all along was never wrong for longer than 10 s, and every run succeeded', async () => {
    await load.stop();
    await watch.stop();
    await fleet.api.waitForEnd(load.runIds, { timeoutMs: 60_000 });
    const { faults } = recorder.recording();
    const recording = { ...EMPTY_RECORDING, faults, sightings, processes: processesOf(fleet) };
    const violations = checkRecording(recording, { atRest: false }).filter(({ invariant }) => invariant === 'V17');
    expect(violations).toEqual([]);
    const failed = (await fleet.api.get<{ runs: unknown[] }>('/v1/runs?status=failed&limit=10')).runs;
    expect(failed).toEqual([]);
  }, 120_000);
});
