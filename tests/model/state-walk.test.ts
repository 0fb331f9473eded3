import type { RunStatus, StepStatus } from '@flotilla/contracts';
import {
  countedEdges,
  isAllowed,
  RUN_TRANSITIONS,
  STEP_TRANSITIONS,
  type TransitionTable,
  transitionPairs,
} from '@flotilla/engine';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { FIELD, NO_HEADER, partitionTag, RUN, STATES, STEP, State, type StepKey, stateKey } from '@flotilla/state';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { compileRandom } from './random-workflow.ts';
import { headerOf, type Situation, situations } from './stored-situations.ts';

/**
 * Every transition in every pair of states of a step and its run. The states are written into Redis as they are stored;
 * what the transition makes of them must be allowed by the engine's tables, and every move of the tables must be made.
 */

const namespace = testNamespace(import.meta.url);
const tag = partitionTag(namespace, 0);
const runId = '00-walk';
const runKey = stateKey(tag, 'run', runId);
const historyKey = stateKey(tag, 'history', runId);
const error = JSON.stringify({ type: 'non_retryable', code: 'STEP_FAILED', message: 'no' });

const plan = compileRandom({
  flotilla: 1,
  name: 'walk',
  failFast: false,
  steps: {
    a: { kind: 'task', use: 'work' },
    b: { kind: 'task', use: 'work', needs: ['a'] },
    c: { kind: 'task', use: 'work', needs: ['b'] },
    d: { kind: 'map', over: '[1]', each: { kind: 'task', use: 'work' }, tolerate: { failures: 9 } },
  },
});
const indexOf = (id: string) => plan.stepIndex.get(id)!;
const step = plan.steps[indexOf('b')]!;
const successor = plan.steps[indexOf('c')]!;
const map = plan.steps[indexOf('d')]!;

let connection: RedisConnection;
let state: State<typeof plan>;
let createdAt = 0;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
  const compile = () => plan;
  state = new State({ client: connection.client, namespace, partitions: 1, compile });
  state.rememberPlan(plan);
  const [seconds] = await connection.client.time();
  createdAt = Number(seconds) * 1000 - 60_000;
});
afterAll(() => closeConnection(connection));

function keyOf({ isItem }: Situation): StepKey {
  return isItem ? `${map.index}.0` : String(step.index);
}

async function arrange(situation: Situation): Promise<void> {
  const { subject, run, isItem, isLast, ending } = situation;
  const key = keyOf(situation);
  const { client } = connection;
  const header = headerOf(subject, key);
  const live = subject === STEP.running ? 1 : run === RUN.ending ? 1 : 0;
  const fields: Record<string, string> = {
    m: `${run}|${createdAt}|${live}|${isLast ? 1 : 3}|0|0`,
    d: plan.hash,
    w: 'walk',
    i: '{}',
    b: 'body',
  };
  if (run === RUN.ending) fields[FIELD.ending] = `${ending}|${error}`;
  if (run === RUN.cancelled) fields[FIELD.ending] = `c|${error}`;
  if (run === RUN.timedOut) fields[FIELD.ending] = `t|${error}`;
  if (run === RUN.failed) fields[FIELD.failure] = error;
  if (header !== undefined) fields[`s${key}`] = header;
  if (isItem) {
    fields[`s${map.index}`] = isLast ? 'M|1|1|0|0|3|9|6' : 'M|3|1|0|0|3|9|6';
    for (const item of [0, 1, 2]) fields[`i${map.index}.${item}`] = '1';
  } else if (subject !== 'waiting') {
    fields[`g${step.group}`] = String(2 ** 17);
  }
  const sets = (['due', 'lease', 'workers', 'cancels', 'ended', 'dead', 'reclaim'] as const).map((suffix) =>
    stateKey(tag, suffix),
  );
  await Promise.all([
    client.del(runKey, historyKey, stateKey(tag, 'paused', runId), stateKey(tag, 'deadLetters', runId), ...sets),
    client.hset(runKey, fields),
    client.rpush(historyKey, 'A|0'),
    client.zadd(stateKey(tag, 'due'), 1, `b|${key}|${runId}`, 1, `p|${key}|${runId}`),
    client.zadd(stateKey(tag, 'lease'), 1, `${runId}|${key}`),
  ]);
}

interface Stored {
  /** The run's hash, as it is. */
  fields: Record<string, string>;
  events: number;
}

async function read(): Promise<Stored> {
  const { client } = connection;
  const [fields, events] = await Promise.all([client.hgetall(runKey), client.llen(historyKey)]);
  return { fields, events };
}

interface Seen {
  run: RunStatus;
  steps: Map<string, StepStatus>;
}

/** Run and steps as the API tells of them. */
async function look({ isItem }: Situation, { fields }: Stored): Promise<Seen> {
  const [view, { steps: views }] = await Promise.all([state.readRun(runId), state.listSteps(runId, { limit: 100 })]);
  const steps = new Map(views.map(({ stepId, status }) => [stepId, status]));
  // That its needs have settled is written down nowhere but in the counter.
  const isReady = (group: number) => Number(fields[`g${group}`] ?? 1) % 2 ** 17 === 0;
  for (const { id, group } of isItem ? [] : [step, successor]) {
    if (steps.get(id) === 'waiting' && isReady(group)) steps.set(id, 'ready');
  }
  return { run: view!.status, steps };
}

type Transition = (situation: Situation) => Promise<unknown>;

function addressOf(situation: Situation) {
  return { tag, runId, key: keyOf(situation) };
}

function attemptOf(situation: Situation) {
  return { ...addressOf(situation), fence: createdAt + 5, createdAt, attemptId: 'held' };
}

function factsOf({ isItem, failFast }: Situation) {
  const index = isItem ? map.index : step.index;
  return {
    endStep: true,
    failFast,
    tolerated: false,
    hasTotalTimer: false,
    parentKey: isItem ? String(map.index) : undefined,
    errorJson: error,
    runErrorJson: error,
    edges: countedEdges(plan, index, 'failed'),
    ...(isItem ? { successEdges: countedEdges(plan, index, 'succeeded') } : {}),
  };
}

async function commit(situation: Situation, goesOn: boolean): Promise<unknown> {
  const attempt = attemptOf(situation);
  const { endStep, hasTotalTimer } = factsOf(situation);
  const index = situation.isItem ? map.index : step.index;
  const next = { key: String(successor.index), attemptMs: 1000 };
  return state.transitions.commit({
    ...attempt,
    worker: 'w1',
    outputJson: '1',
    checkpoint: { ts: attempt.createdAt, seq: 1, checksum: 'sum', previous: '' },
    hasTotalTimer,
    endStep,
    nextAttemptId: goesOn ? 'next' : undefined,
    wantsInput: false,
    sources: [],
    nextItemAttemptMs: goesOn ? 1000 : undefined,
    edges: countedEdges(plan, index, 'succeeded').map((edge) => (goesOn ? { ...edge, next } : edge)),
  });
}

async function fail(situation: Situation, end: { retryInMs?: number; quarantine?: boolean }): Promise<unknown> {
  const attempt = attemptOf(situation);
  const { tag: _tag, runId: _runId, key } = attempt;
  return state.transitions.fail({ ...factsOf(situation), tag, runId, key, attempt, event: 'attempt-failed', ...end });
}

const forceFail = (from: string) => (situation: Situation) =>
  state.transitions.fail({
    ...factsOf(situation),
    ...addressOf(situation),
    attempt: { from },
    event: 'attempt-timed-out',
  });

async function settle(situation: Situation, to: 'succeeded' | 'skipped' | 'failed', from: string): Promise<unknown> {
  const attempt = attemptOf(situation);
  return state.transitions.settle({
    ...attempt,
    ...factsOf(situation),
    state: to,
    reason: to === 'skipped' ? 'when-false' : undefined,
    bodyJson: to === 'skipped' ? undefined : error,
    checkpoint: to === 'succeeded' ? { ts: attempt.createdAt, seq: 1, checksum: 'sum', previous: '' } : undefined,
    from,
    timers: '',
    edges: countedEdges(plan, step.index, to),
  });
}

const mapSettings = { concurrency: 1, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 4 };

/** With the arguments that schedulers and workers give. */
const TRANSITIONS: Record<string, Transition> = {
  claim: (situation) =>
    state.transitions.claim({
      ...addressOf(situation),
      attemptId: 'new',
      worker: 'w2',
      group: situation.isItem ? map.group : step.group,
      any: false,
      initial: 1,
      attemptMs: 1000,
      wantsInput: false,
      hasQueuedTimer: false,
      sources: [],
    }),
  commit: (situation) => commit(situation, false),
  'commit and go on': (situation) => commit(situation, true),
  'fail, to be tried again': (situation) => fail(situation, { retryInMs: 1000 }),
  'fail for good': (situation) => fail(situation, {}),
  quarantine: (situation) => fail(situation, { quarantine: true }),
  'fail before an attempt': forceFail(STATES.unclaimed + STEP.delaying),
  'time out in the queue': forceFail(STATES.unclaimed),
  'time out over all attempts': forceFail(NO_HEADER + STATES.unsettled),
  release: async (situation) => state.transitions.release(attemptOf(situation), 'drain'),
  'park an attempt': async (situation) => state.transitions.parkAttempt(attemptOf(situation), 'breaker:payments', 1000),
  reclaim: () => state.transitions.reclaim(tag, { limit: 9, pauseMs: 1e12, suspensionMs: 0, crashLimit: 3 }),
  'take due': () => state.transitions.takeDue(tag, 9),
  recheck: (situation) => state.transitions.recheck(addressOf(situation), 1000, true),
  park: (situation) => state.transitions.park(addressOf(situation), undefined, 'breaker-open', 1000),
  'save progress': async (situation) =>
    state.transitions.saveProgress(attemptOf(situation), '1', { ts: 1, seq: 1, checksum: 'sum', previous: '' }),
  'start delay': (situation) => state.transitions.startDelay(addressOf(situation), 1000),
  'start wait': (situation) =>
    state.transitions.startWait(addressOf(situation), { kind: 'signal', subject: 'go', timeoutMs: 1000 }),
  'send signal': () => state.transitions.sendSignal({ tag, runId }, { name: 'go', bodyJson: '1' }),
  'answer wait': (situation) =>
    state.transitions.answerWait(addressOf(situation), {
      ...{ kind: 'signal', subject: 'go', bodyJson: '1', eventJson: '{}' },
    }),
  'close waits': (situation) => state.transitions.closeWaits({ tag, runId }, [keyOf(situation)]),
  'continue loop': (situation) =>
    state.transitions.continueLoop(addressOf(situation), {
      ...{ iterations: 1, itemJson: '1', maxSteps: undefined, definitionSteps: 4 },
    }),
  'end loop': (situation) =>
    state.transitions.endLoop(addressOf(situation), { iterations: 1, endedBy: 'limit', endStep: true, edges: [] }),
  'start map': (situation) => state.transitions.startMap(addressOf(situation), ['1'], mapSettings),
  'settle a branch': (situation) => settle(situation, 'succeeded', '-'),
  'settle a delay': (situation) => settle(situation, 'succeeded', STEP.delaying),
  'settle a wait': (situation) => settle(situation, 'succeeded', STEP.waiting),
  'fail a wait': forceFail(STEP.waiting),
  skip: (situation) => settle(situation, 'skipped', NO_HEADER + STEP.parked),
  'settle as failed': (situation) => settle(situation, 'failed', '-'),
  cancel: () => state.transitions.cancelRun(tag, runId, error),
  'time out the run': () => state.transitions.timeOutRun(tag, runId, error),
  'end a corrupt run': () => state.transitions.failRun(tag, runId, error),
  pause: () => state.transitions.pauseOrResume('pause-run', tag, runId).catch(refusal),
  resume: () => state.transitions.pauseOrResume('resume-run', tag, runId).catch(refusal),
  'finish with an output': () => state.transitions.finishRun(tag, runId, { outputJson: '1' }),
  'finish with an error': () => state.transitions.finishRun(tag, runId, { errorJson: error }),
  retry: () => state.transitions.retryRun(tag, runId, { seen: undefined, selectionJson: '{}', dataJson: '{}' }),
  prune: () => state.transitions.pruneRun(tag, runId),
};

/** Only what steps of the definition are given. */
const OF_STEPS_ONLY = new Set([
  'start delay',
  'start wait',
  'continue loop',
  'end loop',
  'answer wait',
  'close waits',
  'settle a wait',
  'fail a wait',
  'start map',
  'settle a branch',
  'settle a delay',
  'skip',
  'settle as failed',
]);
/** Asked for only of steps whose group has fired: schedulers act on the group's outbox entry. */
const OF_REACHED_STEPS_ONLY = new Set([
  ...['fail before an attempt', 'time out in the queue', 'time out over all attempts', 'park'],
  ...['start delay', 'start map', 'settle a branch', 'settle a delay', 'settle as failed'],
]);
/** For these it matters what else is left of the run and what a failure means to it. */
const SETTLES = /^(commit|fail|quarantine|time out|settle|skip)/;

function isAsked(name: string, { subject, isItem, isLast, failFast }: Situation): boolean {
  if (isItem && OF_STEPS_ONLY.has(name)) return false;
  if (subject === 'waiting' && OF_REACHED_STEPS_ONLY.has(name)) return false;
  return (!isLast && !failFast) || SETTLES.test(name);
}

function refusal(reason: unknown): unknown {
  return reason;
}

class Moves<State extends string> {
  readonly #table: TransitionTable<State>;
  readonly #made = new Set<string>();
  readonly forbidden = new Set<string>();

  constructor(table: TransitionTable<State>) {
    this.#table = table;
  }

  note(from: State, to: State, by: string): void {
    if (from === to) return;
    this.#made.add(`${from} -> ${to}`);
    if (!isAllowed(this.#table, from, to)) this.forbidden.add(`${from} -> ${to} by ${by}`);
  }

  /** Moves of the table that nothing made. */
  get unmade(): string[] {
    return transitionPairs(this.#table)
      .filter(({ from, to, allowed }) => allowed && !this.#made.has(`${from} -> ${to}`))
      .map(({ from, to }) => `${from} -> ${to}`);
  }
}

describe('the transitions, in every pair of states', () => {
  test('make the moves of the tables and no others', async () => {
    const steps = new Moves(STEP_TRANSITIONS);
    const runs = new Moves(RUN_TRANSITIONS);
    const changedEndedRuns = new Set<string>();
    for (const situation of situations()) {
      await arrange(situation);
      const stored = await read();
      const before = await look(situation, stored);
      const hasEnded = 'SFCT'.includes(situation.run);
      for (const [name, transition] of Object.entries(TRANSITIONS)) {
        if (!isAsked(name, situation)) continue;
        // Commands of one connection are carried out in order.
        await Promise.all([arrange(situation), transition(situation)]);
        const after = await read();
        const by = `${name} in ${JSON.stringify(situation)}`;
        if (JSON.stringify(after.fields) === JSON.stringify(stored.fields)) continue;
        if (Object.keys(after.fields).length === 0) {
          if (name !== 'prune' || !hasEnded) changedEndedRuns.add(by);
          continue;
        }
        // Its waits are closed after a run has ended, as its timers are taken away.
        const mayChange = (name === 'retry' && situation.run !== RUN.succeeded) || name === 'close waits';
        if (hasEnded && !mayChange) changedEndedRuns.add(by);
        const seen = await look(situation, after);
        runs.note(before.run, seen.run, by);
        // What becomes of its steps is decided afterwards: until then they are shown as they are stored.
        if (name === 'retry') continue;
        for (const [id, status] of seen.steps) {
          const was = before.steps.get(id);
          if (was !== undefined) steps.note(was, status, by);
        }
      }
    }
    expect([...changedEndedRuns]).toEqual([]);
    expect([...runs.forbidden]).toEqual([]);
    expect([...steps.forbidden]).toEqual([]);
    expect(runs.unmade).toEqual([]);
    expect(steps.unmade).toEqual([]);
  }, 120_000);
});
