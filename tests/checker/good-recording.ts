import type { Chance } from '@flotilla/chaos';
import {
  type AgentSighting,
  type BreakerSighting,
  type ClientCall,
  type DependencyCall,
  type FaultEntry,
  hashOf,
  type ProcessEntry,
  type RecordedRun,
  type Recording,
  type ScannedIndexes,
  type ScannedKey,
  type StepReport,
} from '@flotilla/checker';
import type { CancelReceipt, StepDefinition, WorkflowDefinition } from '@flotilla/contracts';
import { HistoryBuilder } from './history-builder.ts';

const NAMESPACE = 'good';
/** Killed by the fault; another of the fleet stands still beyond its lease. */
const KILLED = 'w-killed';
const FROZEN = 'w-frozen';
const START_AT = Date.UTC(2026, 0, 1);
const LEASE_MS = 10_000;

const task = (more: Partial<StepDefinition> = {}): StepDefinition =>
  ({ kind: 'task', use: 'record-effect', ...more }) as StepDefinition;
const quiet = (more: Partial<StepDefinition> = {}): StepDefinition =>
  task({ use: 'flotilla.sleep', ...more } as object);
const define = (name: string, steps: Record<string, StepDefinition>, more: object = {}): WorkflowDefinition => ({
  flotilla: 1,
  name,
  steps,
  ...more,
});

const retry = { maxAttempts: 3, initialMs: 100, jitter: 'none' as const };
type Script = (run: HistoryBuilder, chance: Chance) => RecordedRun;
interface Scenario {
  definition: WorkflowDefinition;
  script: Script;
  /** How long after the others it begins. Default 0. */
  laterMs?: number;
}

/** Of the breaker in the scenario `parked`; bounds.probeIntervalMs is to be the same. */
const PROBE_INTERVAL_MS = 2000;

/** What a run does, event by event. Every scenario is a shape that mutants need. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  linear: {
    definition: define('linear', { a: task(), b: task({ needs: ['a'] }), c: task({ needs: ['b'] }) }),
    script: (run, { next }) => {
      for (const stepId of ['a', 'b', 'c']) run.ready(stepId).make(stepId, { value: next() });
      return run.end('succeeded');
    },
  },
  fan: {
    definition: define('fan', {
      first: quiet(),
      left: task({ needs: ['first'] }),
      right: task({ needs: ['first'] }),
      last: task({ needs: ['left', 'right'] }),
      eager: quiet({ needs: ['left', 'right'], join: 'any' }),
    }),
    script: (run, { next }) => {
      run.ready('first').start('first').succeed('first', null).ready('left', 'right');
      run.start('left').start('right').effect('left', 1).succeed('left', 1).ready('eager').start('eager');
      run.effect('right', 2).succeed('right', 2).ready('last').succeed('eager', null);
      return run.make('last', next()).end('succeeded');
    },
  },
  retry: {
    definition: define('retry', { a: task({ retry }), b: quiet({ needs: ['a'] }) }),
    script: (run) => {
      run.ready('a').start('a').fail('a', 100).start('a').fail('a', 200).make('a', 'third');
      return run.ready('b').start('b').succeed('b', null).end('succeeded');
    },
  },
  permanent: {
    definition: define(
      'permanent',
      { a: task({ retry }), b: quiet({ needs: ['a'] }), c: quiet() },
      { failFast: false },
    ),
    script: (run) => {
      run.ready('a', 'c').start('a').start('c').succeed('c', null).fail('a', undefined, 'non_retryable');
      return run.settle('b', 'skipped', { reason: 'upstream-failed' }).end('failed');
    },
  },
  retried: {
    definition: define('retried', { a: task(), b: task({ needs: ['a'], retry }), c: task({ needs: ['b'] }) }),
    script: (run, { next }) => {
      run.ready('a').make('a', { value: next() }).ready('b').start('b').fail('b', undefined, 'non_retryable');
      run.note('run-failed').retry(2, 'b', 'c');
      run.make('b', { value: next() }).ready('c').make('c', { value: next() });
      return run.end('succeeded');
    },
  },
  timeout: {
    definition: define('timeout', { a: task({ retry, timeouts: { attemptMs: 1000 } }) }),
    script: (run) => {
      run.ready('a').start('a').pass(1000).timeOut('a', 100);
      return run.make('a', 'second').end('succeeded');
    },
  },
  lost: {
    definition: define('lost', { a: task(), b: quiet({ needs: ['a'] }) }),
    script: (run) => {
      run.ready('a').start('a', KILLED).effect('a', 'one').pass(LEASE_MS).lose('a');
      return run.make('a', 'two').ready('b').start('b').succeed('b', null).end('succeeded');
    },
  },
  zombie: {
    definition: define('zombie', { a: task() }),
    script: (run) => {
      run.ready('a').start('a', FROZEN).pass(LEASE_MS).lose('a').make('a', 'two');
      const first = run.event('attempt-started', 'a');
      const ended = run.end('succeeded');
      run.reject('a', first);
      return ended;
    },
  },
  cancelled: {
    definition: define('cancelled', { a: quiet(), b: quiet(), c: quiet({ needs: ['a'] }) }),
    script: (run) => {
      run.ready('a', 'b').start('a').start('b').succeed('a', null).ready('c');
      return run.note('cancel-requested', { reason: 'enough' }).cancelAttempt('b').end('cancelled');
    },
  },
  undone: {
    definition: define('undone', {
      a: quiet({ compensate: 'undo' }),
      b: quiet({ needs: ['a'], compensate: 'undo' }),
      c: quiet({ needs: ['b'], compensate: 'undo' }),
    }),
    script: (run) => {
      run.ready('a').start('a').succeed('a', null).ready('b').start('b').registerCleanup('b').succeed('b', null);
      run.ready('c').start('c').registerCleanup('c').note('cancel-requested', { reason: 'enough' }).cancelAttempt('c');
      run.cleanUp('retried').cleanUp('succeeded').cleanUp('failed').cleanUp('lost').cleanUp('succeeded');
      return run.cleanUp('succeeded').end('cancelled');
    },
  },
  'undone after a failure': {
    definition: define('undone-after-a-failure', {
      a: quiet({ compensate: 'undo' }),
      b: quiet({ needs: ['a'], retry: { maxAttempts: 1 } }),
    }),
    script: (run) => {
      run.ready('a').start('a').succeed('a', null).ready('b').start('b').fail('b', undefined, 'non_retryable');
      return run.cleanUp('succeeded').end('failed');
    },
  },
  'not undone': {
    definition: define('not-undone', { a: quiet({ compensate: 'undo' }) }),
    script: (run) => run.ready('a').start('a').succeed('a', null).end('succeeded'),
  },
  map: {
    definition: define('map', {
      each: { kind: 'map', over: 'run.input.items', each: { kind: 'task', use: 'record-effect', retry } },
      last: quiet({ needs: ['each'] }),
    }),
    script: (run) => {
      run.ready('each').start('each[0]').start('each[1]').effect('each[0]', 'zero').succeed('each[0]', 'zero');
      run
        .start('each[2]')
        .fail('each[1]', 100)
        .effect('each[2]', 'two')
        .succeed('each[2]', 'two')
        .make('each[1]', 'one');
      return run.settle('each', 'succeeded').ready('last').start('last').succeed('last', null).end('succeeded');
    },
  },
  delay: {
    definition: define('delay', {
      a: quiet(),
      wait: { kind: 'delay', forMs: 3000, needs: ['a'] },
      b: task({ needs: ['wait'] }),
    }),
    script: (run) => {
      run.ready('a').start('a').succeed('a', null).ready('wait').pass(3000).settle('wait', 'succeeded');
      return run.ready('b').make('b', 'late').end('succeeded');
    },
  },
  progress: {
    definition: define('progress', { a: task({ use: 'save-progress' } as object) }),
    script: (run) => {
      run.ready('a').start('a', KILLED).load('a', 0).save('a', 1).save('a', 2).pass(LEASE_MS).lose('a');
      return run.start('a').load('a', 2).save('a', 3).save('a', 4).succeed('a', { pages: 4 }).end('succeeded');
    },
  },
  parked: {
    // When no fault is an excuse any more.
    laterMs: 120_000,
    definition: define('parked', {
      a: { kind: 'http', request: { url: 'http://payments.test/' }, breaker: 'payments', retry },
    }),
    script: (run) => {
      run.ready('a').start('a').fail('a', 100).start('a').park('a', 'payments');
      for (let probe = 1; probe <= 2; probe += 1) run.pass(PROBE_INTERVAL_MS).start('a').park('a', 'payments');
      return run.pass(PROBE_INTERVAL_MS).start('a').succeed('a', null).end('succeeded');
    },
  },
  waiting: {
    // Ready while Redis is away, started when it is back.
    definition: define('waiting', { a: quiet(), b: task({ needs: ['a'] }) }),
    script: (run) => {
      run.ready('a').start('a').succeed('a', null).ready('b').pass(4000);
      return run.make('b', 'after').end('succeeded');
    },
  },
};

/** A recording in which everything is right and a bit of everything happens. The same seed gives the same. */
export function goodRecording(chance: Chance): Recording {
  const applied = new Set<string>();
  const runs: RecordedRun[] = [];
  const calls: ClientCall[] = [];
  const effects: StepReport[] = [];
  let at = START_AT;
  for (const [name, { definition, script, laterMs = 0 }] of Object.entries(SCENARIOS)) {
    at += chance.between(1, 100);
    const run = new HistoryBuilder(`run-${name.replaceAll(' ', '-')}`, definition, at + laterMs, chance, applied);
    runs.push(script(run, chance));
    effects.push(...run.reports);
    calls.push(...submissions(run, definition, name));
  }
  const of = (name: string) => runs.find(({ run }) => run.runId === `run-${name}`)!;
  calls.push(cancellation(of('cancelled'), { stoppedSteps: ['b'] }));
  const failed: Receipt['failedCleanups'] = [{ number: 2, stepId: 'b', kind: 'compensation', use: 'undo' }];
  const cleanedUp = ['c', 'b'].map((stepId) => ({ stepId, use: 'undo' }));
  calls.push(
    cancellation(of('undone'), { stoppedSteps: ['c'], compensated: ['a'], cleanedUp, failedCleanups: failed }),
  );
  const startOf = (name: string) => of(name).events.find(({ type }) => type === 'attempt-started')!.at;
  const killedAt = startOf('lost') + 5;
  const readyAt = of('waiting').events.findLast(({ type }) => type === 'step-ready')!.at;
  const faults = [
    { faultId: 'f1', kind: 'kill-worker', startAt: killedAt, endAt: killedAt, targets: [KILLED], proof: ['SIGKILL'] },
    {
      faultId: 'f2',
      kind: 'freeze-worker',
      startAt: startOf('zombie') + 1,
      endAt: startOf('zombie') + 11_000,
      targets: [FROZEN],
      proof: ['SIGSTOP', 'SIGCONT'],
    },
    {
      faultId: 'f3',
      kind: 'kill-redis',
      startAt: readyAt,
      endAt: readyAt + 3000,
      targets: ['redis'],
      proof: ['refused connections: 4'],
    },
  ];
  const sightings = sightingsOf(faults, killedAt, at);
  const outage = outageOf(of('parked'));
  const byStatus = Map.groupBy(runs, ({ run }) => run.status);
  return {
    calls,
    runs,
    effects,
    faults,
    sightings,
    ...outage,
    listings: [
      {
        at: at + 240_000,
        runs: runs.map(({ run: { runId, status, definitionHash } }) => ({ runId, status, definitionHash })),
        counts: Object.fromEntries(Array.from(byStatus, ([status, same]) => [status, same.length])),
      },
    ],
    processes: [
      ...['w-1', 'w-2', 'w-3', FROZEN, 's-1'].map((id, index) => processOf(id, 100 + index)),
      {
        ...processOf(KILLED, 200),
        exit: { at: killedAt, code: null, signal: 'SIGKILL' },
        planned: { signal: 'SIGKILL' },
      },
      { ...processOf('s-2', 201), exit: { at: at + 50_000, code: 0, signal: null }, planned: { codes: [0] } },
    ],
    scans: [{ at: at + 240_000, namespace: NAMESPACE, keys: keysOf(runs), indexes: indexesOf(runs) }],
  };
}

/** Every half second, but while Redis is away: the silent are lost after nine seconds, and back after half a second. */
function sightingsOf(faults: readonly FaultEntry[], killedAt: number, lastAt: number): AgentSighting[] {
  const frozen = faults.find(({ kind }) => kind === 'freeze-worker')!;
  const outage = faults.find(({ kind }) => kind === 'kill-redis')!;
  const sightings: AgentSighting[] = [];
  for (let at = START_AT - 4000; at < lastAt + 30_000; at += 500) {
    if (at >= outage.startAt && at < outage.endAt) continue;
    const isLost = (startAt: number, endAt: number) => at > startAt + 9000 && at < endAt + 500;
    sightings.push({
      at,
      agents: {
        ...{ 'w-1': 'healthy', 'w-2': 'healthy', 'w-3': 'healthy' },
        [FROZEN]: isLost(frozen.startAt, frozen.endAt) ? 'lost' : 'healthy',
        [KILLED]: isLost(killedAt, Number.POSITIVE_INFINITY) ? 'lost' : 'healthy',
      },
    });
  }
  return sightings;
}

/** The breaker opens with the first park; each later attempt but the last is a probe that fails. */
function outageOf({ events }: RecordedRun): { breakers: BreakerSighting[]; dependencyCalls: DependencyCall[] } {
  const startedAt = events.filter(({ type }) => type === 'attempt-started').map(({ at }) => at);
  const openedAt = events.find(({ type }) => type === 'step-parked')!.at;
  const backAt = startedAt.at(-1)!;
  const breakers: BreakerSighting[] = [];
  for (let at = openedAt - 750; at < backAt + 5000; at += 500) {
    const isOpen = at >= openedAt && at < backAt + 500;
    const state = isOpen ? 'open' : 'closed';
    const since = isOpen ? openedAt : at < openedAt ? START_AT : backAt + 400;
    breakers.push({ at, breakers: [{ name: 'payments', state, since, parked: isOpen ? 1 : 0 }] });
  }
  const calls = startedAt.map((at) => ({ at: at + 1, breaker: 'payments', answered: at === backAt }));
  return { breakers, dependencyCalls: calls };
}

/** Each run is submitted twice; the first answer of the second run's first try never came. */
function submissions(run: HistoryBuilder, definition: WorkflowDefinition, name: string): ClientCall[] {
  const { runId, createdAt } = run;
  const request = { definition: definition as unknown as Record<string, unknown>, idempotencyKey: `key-${name}` };
  const answer = { runId, status: 'pending' as const, durability: 'fast' as const };
  const first = { kind: 'start' as const, request, startAt: createdAt - 3, endAt: createdAt + 4 };
  const again = { ...first, startAt: createdAt + 5, endAt: createdAt + 9, status: 200 };
  return [
    name === 'fan'
      ? { ...first, error: 'the socket was closed' }
      : { ...first, status: 201, answer: { ...answer, deduplicated: false } },
    { ...again, answer: { ...answer, deduplicated: true } },
  ];
}

type Receipt = CancelReceipt['receipt'];

function cancellation({ run, events }: RecordedRun, lists: Partial<Receipt>): ClientCall {
  const { at } = events.find(({ type }) => type === 'cancel-requested')!;
  const receipt: Receipt = {
    ...{ runId: run.runId, requestedAt: at, endedAt: run.endedAt!, outcome: 'cancelled', alreadyEnded: false },
    ...{ stoppedSteps: [], finishedSteps: [], lostSteps: [], released: [], pending: [] },
    ...{ compensated: [], cleanedUp: [], failedCleanups: [], pendingCleanups: [] },
    ...lists,
  };
  return {
    kind: 'cancel',
    runId: run.runId,
    startAt: at - 2,
    endAt: run.endedAt! + 2,
    status: 200,
    answer: { status: 'cancelled', receipt },
  };
}

function processOf(id: string, pid: number): ProcessEntry {
  return { id, kind: id.startsWith('w') ? 'worker' : 'scheduler', pid, startedAt: START_AT - 5000, complaints: [] };
}

function keysOf(runs: readonly RecordedRun[]): ScannedKey[] {
  const tag = `{${NAMESPACE}:00}:`;
  const queue = `{${NAMESPACE}:q:default}:default:`;
  return [
    ...runs.flatMap(({ run: { runId, definitionHash } }): ScannedKey[] => [
      { key: `${tag}r:${runId}`, type: 'hash' },
      { key: `${tag}h:${runId}`, type: 'list' },
      { key: `${tag}d:${definitionHash}`, type: 'hash', size: 2 },
      { key: `${tag}i:${hashOf(runId)}`, type: 'string', size: 50, ttlMs: 86_000_000 },
    ]),
    { key: `${tag}runs`, type: 'zset', size: runs.length },
    { key: `${tag}ended`, type: 'zset', size: runs.length },
    { key: `${tag}out`, type: 'stream', size: 0 },
    { key: `${tag}workers`, type: 'zset', size: 3 },
    { key: `${tag}reclaim`, type: 'hash', size: 2 },
    { key: `${tag}w:linear`, type: 'zset', size: 1 },
    { key: `{${NAMESPACE}}:agents`, type: 'hash', size: 3 },
    { key: `${queue}meta`, type: 'hash', size: 1 },
    { key: `${queue}events`, type: 'stream', size: 9 },
    { key: `${queue}completed`, type: 'zset', size: 1 },
    { key: `${queue}t-0a1b2c`, type: 'hash' },
  ];
}

const STATUS_LETTERS = { succeeded: 'S', failed: 'F', cancelled: 'C', 'timed-out': 'T' } as const;

/** The sets of runs; those that have failed have met one error. */
function indexesOf(runs: readonly RecordedRun[]): ScannedIndexes {
  const partition = `{${NAMESPACE}:00}:`;
  const sets = new Map<string, string[]>();
  const scanned = runs.map(({ run: { runId, workflow, status } }) => {
    const letter = STATUS_LETTERS[status as keyof typeof STATUS_LETTERS];
    const errors = letter === 'F' ? ['0123456789abcdef'] : [];
    const names = ['runs', 'ids', `w:${workflow}`, `x:${letter}||`, `x:${letter}|${workflow}|`];
    for (const name of [...names, ...errors.map((error) => `f:${error}`)]) {
      sets.set(partition + name, [...(sets.get(partition + name) ?? []), runId]);
    }
    return { partition, runId, letter, live: 0, workflow, tags: [], waits: {}, storedWaits: '', errors };
  });
  return { sets: [...sets].map(([key, members]) => ({ key, members })), runs: scanned };
}
